//! The chart's README, made from the comments in values.yaml.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::super::generate::first_difference;
use super::tools::{Tool, Tools};
use super::{CHART, chart, read};

/// Compares the committed README with what values.yaml says, and looks for values that say nothing.
pub(super) fn check(tools: &Tools) -> Result<()> {
    let generated = generate(tools)?;
    if let Some(value) = undocumented(&generated) {
        bail!(
            "{CHART}/values.yaml does not say what {value} is for; put a comment that begins with `# --` above it"
        );
    }
    if let Some(line) = first_difference(&read(&chart().join("README.md"))?, &generated) {
        bail!(
            "{CHART}/README.md is out of date from line {line} on; run `cargo xtask chart --write` and commit it"
        );
    }
    Ok(())
}

pub(super) fn write(tools: &Tools) -> Result<()> {
    fs::write(chart().join("README.md"), generate(tools)?)
        .context("the chart's README could not be written")?;
    println!("wrote {CHART}/README.md");
    Ok(())
}

fn generate(tools: &Tools) -> Result<String> {
    let mut docs = Command::new(tools.path(Tool::Docs));
    docs.args([
        "--chart-search-root",
        ".",
        "--sort-values-order",
        "file",
        "--log-level",
        "warning",
        "--dry-run",
    ]);
    let output = docs.current_dir(chart()).output().context("helm-docs could not be started")?;
    // It reports what it cannot read as a warning, and ends well without having written anything.
    if !output.status.success() || !output.stderr.is_empty() {
        bail!("helm-docs failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("helm-docs printed no UTF-8")
}

/// The first value whose row has no description.
fn undocumented(readme: &str) -> Option<&str> {
    let row = readme.lines().find(|line| line.ends_with("|  |"))?;
    row.split('|').nth(1).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_a_word_are_found() {
        assert_eq!(undocumented("| a | int | `1` | How many. |\n"), None);
        assert_eq!(undocumented("| a | int | `1` | How many. |\n| b.c | int | `2` |  |\n"), Some("b.c"));
    }
}
