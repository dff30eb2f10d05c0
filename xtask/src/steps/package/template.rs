//! `templates/operator`, as `cargo generate` would make a crate of it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::put;
use crate::cargo::root;

/// The name of the crate that is made of it.
pub(super) const NAME: &str = "operator-of-template";

/// What a person would be asked for, and what comes from the name.
const VALUES: [(&str, &str); 4] = [
    ("{{project-name}}", NAME),
    ("{{crate_name}}", "operator_of_template"),
    ("{{kind}}", "Shop"),
    ("{{group}}", "shops.example.com"),
];

const FILES: [&str; 5] =
    ["Cargo.toml", "src/lib.rs", "src/main.rs", "examples/local.rs", "tests/operator.rs"];

/// Writes the crate into the directory.
pub(super) fn write(dir: &Path) -> Result<()> {
    let template = root().join("templates/operator");
    for file in FILES {
        let text = fs::read_to_string(template.join(file))
            .with_context(|| format!("templates/operator/{file} could not be read"))?;
        let text = filled_in(&text);
        ensure!(!text.contains("{{"), "templates/operator/{file} has a placeholder that nobody is asked for");
        put(&dir.join(file), &text)?;
    }
    Ok(())
}

fn filled_in(text: &str) -> String {
    VALUES.iter().fold(text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_file_of_the_template_is_tried() {
        let template = root().join("templates/operator");
        for dir in ["src", "examples", "tests"] {
            for entry in fs::read_dir(template.join(dir)).unwrap() {
                let file = format!("{dir}/{}", entry.unwrap().file_name().display());
                assert!(FILES.contains(&file.as_str()), "{file}");
            }
        }
    }
}
