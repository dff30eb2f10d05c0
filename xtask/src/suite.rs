//! `cargo xtask test`: all steps, and a table of what became of them.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use comfy_table::{Cell, CellAlignment, Table, presets};
use tempfile::NamedTempFile;

use crate::status::StepStatus;
use crate::steps::{ALL, Step, StepContext};

/// What to run and what to insist on.
#[derive(Args)]
pub(crate) struct TestOptions {
    /// Fail rather than skip what needs this: real is any real API server (CI uses it), the others are
    /// backends
    #[arg(long, value_name = "KIND", value_delimiter = ',',
          value_parser = ["real", "local", "testcontainers", "existing"])]
    require: Vec<String>,
    /// Run this step only (may be repeated)
    #[arg(long, value_name = "STEP", value_parser = step_names())]
    only: Vec<String>,
    /// Leave out the steps that take long
    #[arg(long, conflicts_with = "only")]
    fast: bool,
    /// Stop at the first failure
    #[arg(long)]
    fail_fast: bool,
}

struct Ran {
    name: &'static str,
    result: Result<StepStatus>,
    took: Duration,
}

/// Runs the chosen steps and prints what became of them.
pub(crate) fn run(options: &TestOptions) -> Result<()> {
    let skip_file = NamedTempFile::new().context("no file could be made for tests to note skips in")?;
    let mut cx = StepContext {
        skip_file: Some(skip_file.path().to_owned()),
        require: options.require.join(","),
        skips: Vec::new(),
    };
    let mut all = Vec::new();
    for step in ALL.iter().filter(|step| options.chooses(step)) {
        eprintln!("\n== {}", step.name);
        let started = Instant::now();
        let result = (step.run)(&mut cx);
        if let Err(error) = &result {
            eprintln!("{} FAILED: {error:#}", step.name);
        }
        let failed = result.is_err();
        all.push(Ran { name: step.name, result, took: started.elapsed() });
        if failed && options.fail_fast {
            break;
        }
    }
    let noted =
        fs::read_to_string(skip_file.path()).context("the tests' notes of skips could not be read")?;
    cx.skips.extend(noted.lines().map(str::to_owned));
    report(&all, &cx.skips);
    let failed: Vec<_> = all.iter().filter(|ran| ran.result.is_err()).map(|ran| ran.name).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Runs one step, as the verb of its name does.
pub(crate) fn run_one(name: &str) -> Result<()> {
    let step =
        ALL.iter().find(|step| step.name == name).with_context(|| format!("there is no step {name}"))?;
    match (step.run)(&mut StepContext::default())? {
        StepStatus::Passed(detail) => println!("{name}: ok {detail}"),
        StepStatus::Skipped(why) => println!("{name}: skipped: {why}"),
    }
    Ok(())
}

impl TestOptions {
    fn chooses(&self, step: &Step) -> bool {
        let named = self.only.is_empty() || self.only.iter().any(|name| name == step.name);
        named && (step.fast || !self.fast)
    }
}

fn report(all: &[Ran], skips: &[String]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for ran in all {
        let (result, detail) = match &ran.result {
            Ok(StepStatus::Passed(detail)) => ("ok", detail.clone()),
            Ok(StepStatus::Skipped(why)) => ("skipped", why.clone()),
            Err(error) => ("FAILED", format!("{error:#}")),
        };
        let seconds =
            Cell::new(format!("{:.1} s", ran.took.as_secs_f64())).set_alignment(CellAlignment::Right);
        table.add_row([Cell::new(ran.name), Cell::new(result), seconds, Cell::new(detail)]);
    }
    println!("\n{table}");
    for skip in skips {
        println!("{skip}");
    }
}

fn step_names() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.iter().map(|step| step.name))
}
