//! Alerts and dashboard: each rule is sound, does what its test says, and has a section in the runbook; and each expression
//! returns something from what replicas really export.

mod evaluate;
mod expressions;
mod promtool;
mod scrape;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::StepContext;
use crate::cargo::root;
use crate::status::StepStatus;

const RULES: &str = "charts/memcached-operator/files/alerts.yaml";
const DASHBOARD: &str = "charts/memcached-operator/files/dashboard.json";
const TESTS: &str = "charts/memcached-operator/alerts-tests";
const RUNBOOK: &str = "docs/operations.md";

const NO_GO: &str = "promtool is not in the cache, and there is no `go` in PATH to build it with";

/// What to check besides.
#[derive(Args)]
pub(crate) struct AlertsOptions {
    /// What a replica answered at /metrics, one file for each replica: says for every panel and every alert whether its
    /// expression returns anything from them
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub(crate) metrics: Vec<PathBuf>,
}

/// Evaluates every expression on what was scraped.
pub(crate) fn evaluate(options: &AlertsOptions) -> Result<()> {
    let promtool = promtool::find()?.context(NO_GO)?;
    evaluate::all(&promtool, &expressions::read()?, &options.metrics)
}

/// The step of `cargo xtask test`.
pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    let alerts: Vec<_> = expressions::read()?.into_iter().filter_map(|e| e.alert).collect();
    let tests = tests()?;
    every_alert_is_tested(&alerts, &tests)?;
    every_alert_has_a_runbook(&alerts)?;
    let Some(promtool) = promtool::find()? else { return Ok(StepStatus::Skipped(NO_GO.to_owned())) };
    promtool::run(&promtool, &["check", "rules"], &[root().join(RULES)])?;
    promtool::run(&promtool, &["test", "rules"], &tests)?;
    Ok(StepStatus::Passed(format!("{} alerts, {} tests", alerts.len(), tests.len())))
}

fn tests() -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(root().join(TESTS)).with_context(|| format!("{TESTS} could not be read"))?;
    let mut paths = files.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    Ok(paths)
}

fn every_alert_is_tested(alerts: &[expressions::Alert], tests: &[PathBuf]) -> Result<()> {
    let contents = tests.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    for expressions::Alert { name, .. } in alerts {
        // A test that expects no alert would pass without one too.
        let fires =
            |text: &&String| text.contains(&format!("alertname: {name}\n")) && text.contains("exp_labels");
        if !contents.iter().any(|text| fires(&text)) {
            bail!("no test in {TESTS} sees {name} fire");
        }
    }
    Ok(())
}

fn every_alert_has_a_runbook(alerts: &[expressions::Alert]) -> Result<()> {
    let runbook = read(&root().join(RUNBOOK))?;
    let anchors: BTreeSet<String> = runbook.lines().filter_map(anchor).collect();
    for expressions::Alert { name, runbook } in alerts {
        let section =
            runbook.strip_prefix(RUNBOOK).and_then(|rest| rest.strip_prefix('#')).unwrap_or_default();
        if !anchors.contains(section) {
            bail!("the alert {name} points to {runbook:?}, and {RUNBOOK} has no such section");
        }
    }
    Ok(())
}

/// Where a heading can be linked to.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    Some(heading.chars().filter_map(kept).collect())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} could not be read", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_linked_to_as_markdown_renders_them() {
        assert_eq!(anchor("### Renewals near the deadline").as_deref(), Some("renewals-near-the-deadline"));
        assert_eq!(anchor("## When *not* to use election?").as_deref(), Some("when-not-to-use-election"));
        assert_eq!(anchor("no heading"), None);
    }

    #[test]
    fn every_alert_of_the_chart_is_tested_and_explained() {
        let alerts: Vec<_> = expressions::read().unwrap().into_iter().filter_map(|e| e.alert).collect();
        assert!(!alerts.is_empty());
        every_alert_is_tested(&alerts, &super::tests().unwrap()).unwrap();
        every_alert_has_a_runbook(&alerts).unwrap();
    }
}
