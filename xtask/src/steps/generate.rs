//! Files that are generated from code and committed.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::StepContext;
use crate::cargo::{Features, build_operator, root};
use crate::status::StepStatus;

/// The CRD, for users who install with kubectl.
pub(crate) const CRD: &str = "deploy/crd.yaml";
/// The same for the chart, whose templates cannot read files outside of it.
pub(super) const CHART_CRD: &str = "charts/memcached-operator/files/crd.yaml";

/// Compares the committed files with what the code says.
pub(super) fn check(_: &mut StepContext) -> Result<StepStatus> {
    let crd = crd()?;
    for file in [CRD, CHART_CRD] {
        let committed = fs::read_to_string(root().join(file))
            .with_context(|| format!("{file} is missing; run `cargo xtask generate` and commit it"))?;
        if let Some(line) = first_difference(&committed, &crd) {
            bail!("{file} is out of date from line {line} on; run `cargo xtask generate` and commit it");
        }
    }
    Ok(StepStatus::Passed(format!("{CRD}, {CHART_CRD}")))
}

/// Writes the files.
pub(crate) fn write() -> Result<()> {
    let crd = crd()?;
    for file in [CRD, CHART_CRD] {
        fs::write(root().join(file), &crd).with_context(|| format!("{file} could not be written"))?;
        println!("wrote {file}");
    }
    Ok(())
}

fn crd() -> Result<String> {
    let operator = build_operator(Features::All)?;
    let output = Command::new(&operator).arg("crd").output().context("the operator could not be started")?;
    if !output.status.success() {
        bail!("`memcached-operator crd` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).context("`memcached-operator crd` printed no UTF-8")
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
