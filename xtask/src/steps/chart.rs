//! The Helm chart: linted, unit-tested, compared with what it is made from, and admitted by a real API server.

mod admission;
mod companion;
mod contract;
mod helm;
mod random_values;
mod readme;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::StepContext;
use super::generate::CRD;
use crate::cargo::root;
use crate::status::StepStatus;
use helm::Helm;
use tools::{Tool, Tools};

/// The chart.
pub(super) const CHART: &str = "charts/memcached-operator";

/// The sets of values that everything is checked with, under the chart; the first stands for the defaults.
const VALUES: [&str; 6] = [
    "values.yaml",
    "values-ha.yaml",
    "values-fast.yaml",
    "tests/values/everything.yaml",
    "tests/values/namespaced.yaml",
    "tests/values/alone.yaml",
];

/// Checks everything about the chart that this machine can check.
pub(super) fn run(cx: &mut StepContext) -> Result<StepStatus> {
    let Some(tools) = Tools::find()? else {
        let how = "there is no `go` in PATH to build Helm and its tools with; install Go";
        return Ok(StepStatus::Skipped(how.to_owned()));
    };
    definition_is_current()?;
    readme::check(&tools)?;
    let helms = [Helm::new(&tools, Tool::Helm3)?, Helm::new(&tools, Tool::Helm4)?];
    for helm in &helms {
        VALUES.iter().try_for_each(|values| helm.lint(values))?;
    }
    let tests = helm::unit_tests(&tools)?;
    let drawn = random_values::check(&helms[1])?;
    contract::check(&helms)?;
    let admitted = match admission::check(&helms, &drawn)? {
        Some(by) => format!("admitted by {by}"),
        None if cx.require.is_empty() => {
            cx.skips.push(format!("skipped: chart: {}", admission::NO_SERVER));
            "not shown to an API server".to_owned()
        }
        None => bail!("{}", admission::NO_SERVER),
    };
    let with = helms.map(|helm| helm.version()).join(" and ");
    Ok(StepStatus::Passed(format!(
        "{tests} unit tests, {} sets of values with Helm {with}, {} drawn ones, {admitted}",
        VALUES.len(),
        drawn.len()
    )))
}

/// Writes the README.
pub(crate) fn write() -> Result<()> {
    let tools = Tools::find()?.context("there is no `go` in PATH to build helm-docs with; install Go")?;
    readme::write(&tools)
}

/// Helm never upgrades a definition outside of the templates, and templates cannot read files outside of the chart.
fn definition_is_current() -> Result<()> {
    let copy = super::generate::CHART_CRD;
    if read(&root().join(CRD))? != read(&root().join(copy))? {
        bail!("{copy} differs from {CRD}; run `cargo xtask generate` and commit both");
    }
    Ok(())
}

/// The chart's directory.
fn chart() -> PathBuf {
    root().join(CHART)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))
}
