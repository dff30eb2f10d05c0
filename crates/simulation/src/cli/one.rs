//! One schedule, in this process.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use embedded_apiserver::conformance_shapes;
use simulation::EPOCH;
use simulation::checks::{self, Judgement};
use simulation::run::{Run, run as run_schedule};
use simulation::run_report::{FaultTally, RunReport, Size};
use simulation::schedule::Schedule;
use simulation::timeline::timeline;

use super::mutants;

/// Which schedule, and what to show of it.
#[derive(Args)]
pub(crate) struct OneOptions {
    /// The seed of the schedule
    #[arg(long, required_unless_present = "schedule")]
    seed: Option<u64>,
    /// A schedule that was written down, as shrinking does
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    schedule: Option<PathBuf>,
    /// Break this rule on purpose
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Write down everything that happens, line by line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Show what led to the first violation, or the end of the run
    #[arg(long)]
    timeline: bool,
}

pub(super) fn run(options: &OneOptions) -> Result<bool> {
    let schedule = options.schedule()?;
    // Replicas have clocks of their own; whoever goes past them reads true time.
    sealed_process::seal(schedule.seed, Duration::try_from(EPOCH.as_duration())?)?;
    if let Some(mutant) = &options.mutant {
        mutants::activate(mutant)?;
    }
    let run = run_schedule(&schedule, options.trace.is_some());
    if let Some(file) = &options.trace {
        fs::write(file, run.trace.text())
            .with_context(|| format!("the trace could not be written to {}", file.display()))?;
    }
    let report = report(&schedule, &run, checks::judge(&run.observations));
    if options.timeline {
        for violation in &report.violations {
            println!("{}: {}", violation.checker, violation.sentence);
        }
        println!("{}", timeline(&run.observations, report.violations.first()));
    }
    println!("{}", serde_json::to_string(&report)?);
    Ok(report.passed())
}

impl OneOptions {
    fn schedule(&self) -> Result<Schedule> {
        let Some(file) = &self.schedule else {
            return Ok(Schedule::draw(self.seed.context("either a seed or a schedule has to be named")?));
        };
        let text = fs::read_to_string(file);
        let text = text.with_context(|| format!("the schedule {} could not be read", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} holds no schedule", file.display()))
    }
}

fn report(schedule: &Schedule, run: &Run, judgement: Judgement) -> RunReport {
    let mut report = RunReport {
        seed: schedule.seed,
        violations: judgement.violations,
        digest: run.trace.digest(),
        virtual_seconds: run.observations.ended.since_start().as_secs_f64(),
        judged: judgement.judged,
        converged_after: judgement.converged_after,
        longest_unowned: judgement.longest_unowned,
        size: Size {
            replicas: schedule.replicas.len(),
            shards: schedule.shards,
            resources: schedule.resources,
        },
        ..RunReport::default()
    };
    for happened in &run.observations.faults {
        let tally = report.faults.entry(happened.fault.what.name().to_owned()).or_default();
        tally.add(FaultTally {
            happened: 1,
            messages: happened.messages,
            reconciles_hit: happened.reconciles_hit,
            lease_writes_hit: happened.lease_writes_hit,
            watches_hit: happened.watches_hit,
            first_lists_hit: happened.first_lists_hit,
        });
    }
    let uncovered = run.shapes.difference(&conformance_shapes()).map(ToString::to_string).collect();
    report.uncovered_shapes = uncovered;
    report
}
