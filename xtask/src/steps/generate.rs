//! Files that are generated from code and committed.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::StepContext;
use crate::cargo::{Features, build_operator, root};
use crate::status::StepStatus;

/// The CRD, for users who install with kubectl.
pub(crate) const CRD: &str = "deploy/crd.yaml";
/// The same for the chart, whose templates cannot read files outside of it.
pub(super) const CHART_CRD: &str = "charts/memcached-operator/files/crd.yaml";
/// Each generated file, with the operator's command that prints it.
const FILES: [(&str, &str); 4] = [
    (CRD, "crd"),
    (CHART_CRD, "crd"),
    ("charts/memcached-operator/files/ownership-crd.yaml", "ownership-crd"),
    ("charts/memcached-operator/files/fencing-policies.yaml", "fencing-policies"),
];

/// Compares the committed files with what the code says.
pub(super) fn check(_: &mut StepContext) -> Result<StepStatus> {
    let operator = build_operator(Features::All)?;
    for (file, command) in FILES {
        let committed = fs::read_to_string(root().join(file))
            .with_context(|| format!("{file} is missing; run `cargo xtask generate` and commit it"))?;
        if let Some(line) = first_difference(&committed, &printed(&operator, command)?) {
            bail!("{file} is out of date from line {line} on; run `cargo xtask generate` and commit it");
        }
    }
    Ok(StepStatus::Passed(FILES.map(|(file, _)| file).join(", ")))
}

/// Writes the files.
pub(crate) fn write() -> Result<()> {
    let operator = build_operator(Features::All)?;
    for (file, command) in FILES {
        fs::write(root().join(file), printed(&operator, command)?)
            .with_context(|| format!("{file} could not be written"))?;
        println!("wrote {file}");
    }
    Ok(())
}

fn printed(operator: &Path, command: &str) -> Result<String> {
    let output = Command::new(operator).arg(command).output().context("the operator could not be started")?;
    if !output.status.success() {
        bail!("`memcached-operator {command}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`memcached-operator {command}` printed no UTF-8"))
}

/// The first line, counted from 1, in which two texts differ.
pub(super) fn first_difference(committed: &str, generated: &str) -> Option<usize> {
    if committed == generated {
        return None;
    }
    let same = committed.lines().zip(generated.lines()).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a", "a\n"), Some(2));
    }
}
