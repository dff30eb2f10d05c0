//! What the operator costs the API server, beside operators on controller-runtime.
//!
//! Started by `cargo xtask bench`, which builds the programs. Each operator has an API server of its own, so that nothing of one is
//! counted for another, and they take turns. Counts of requests are exact: they come from the API server's audit log. Times are worth what
//! a ratio within one run is worth.

mod audit;
mod edits;
mod ending;
mod handover;
mod harness;
mod idle;
mod layout_change;
mod leases;
mod metrics;
mod options;
mod progress;
mod reconciles;
mod report;
mod requests;
mod resources;
mod scale;
mod scale_out;
mod spent;
mod subject;
mod throughput;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser as _;

use crate::handover::{Handovers, Times};
use crate::harness::Limits;
use crate::options::{Options, Verb, Work};
use crate::report::{Report, Settings};
use crate::subject::{Kind, Subject};

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    if options.check_only {
        return Ok(());
    }
    let (common, subjects) = match &options.verb {
        Verb::Requests(work) | Verb::Throughput { work, .. } => (&work.common, work.subjects.clone()),
        Verb::Idle { fleet, common, .. } | Verb::Scale { fleet, common, .. } => {
            (common, vec![fleet.subject()])
        }
        Verb::Handover { subjects, common, .. } => (common, subjects.clone()),
        Verb::LayoutChange { shards, replicas, common, .. } => {
            let shards = Some(layout_change::checked(shards)?);
            (common, vec![Subject { kind: Kind::Ours, replicas: *replicas, shards }])
        }
        Verb::ScaleOut { common, .. } => (common, Vec::new()),
    };
    let settings = Settings::new(&options.commit, &subjects);
    let report = match &options.verb {
        Verb::Requests(work) => Report::Requests { settings, runs: requests(&options, work).await? },
        Verb::Throughput { work, rounds } => {
            Report::Throughput { settings, runs: throughput(&options, work, *rounds).await? }
        }
        Verb::Idle { seconds, .. } => {
            let runs = idle(&options, &subjects, Duration::from_secs(*seconds), common.limits()).await?;
            Report::Idle { settings, runs }
        }
        Verb::Scale { resources, .. } => {
            let runs = scale(&options, &subjects, *resources, common.limits()).await?;
            Report::Scale { settings, runs }
        }
        Verb::Handover { resources, rounds, terminated, killed, restarted, .. } => {
            let times = Times { terminated: *terminated, killed: *killed, restarted_in_place: *restarted };
            let runs = handovers(&options, &subjects, (*rounds, *resources), times, common.limits()).await?;
            Report::Handover { settings, runs }
        }
        Verb::LayoutChange { resources, shards, edits, .. } => {
            let (subject, limits) = (subjects[0], common.limits());
            eprintln!("{subject}: {resources} resources, {edits} edits a second …");
            let program = program(&options, subject)?;
            let run = layout_change::measure(subject, &program, (*resources, *edits), shards, limits).await?;
            Report::LayoutChange { settings, runs: vec![run] }
        }
        Verb::ScaleOut { sizes, .. } => {
            let runs = scale_out::measure(sizes, options.curve.as_deref())?;
            Report::ScaleOut { settings, runs }
        }
    };
    report.publish(common)
}

async fn requests(options: &Options, work: &Work) -> Result<Vec<requests::Requests>> {
    let mut runs: Vec<requests::Requests> = Vec::new();
    for subject in &work.subjects {
        eprintln!("{subject}: {} resources …", work.resources);
        let program = program(options, *subject)?;
        let run = requests::measure(*subject, &program, work.resources, work.common.limits()).await;
        let run = run.with_context(|| format!("{subject} could not be measured"))?;
        if let Some(first) = runs.first() {
            // Figures of operators that don't do the same are worth nothing.
            ensure!(
                first.children == run.children,
                "{} makes these children: {}, and {subject} these: {}",
                first.subject,
                first.children,
                run.children
            );
        }
        runs.push(run);
    }
    Ok(runs)
}

async fn throughput(options: &Options, work: &Work, rounds: u32) -> Result<Vec<throughput::Throughput>> {
    let mut runs = Vec::new();
    for round in 0..rounds {
        let mut subjects = work.subjects.clone();
        // Who begins differs from round to round.
        let first = round as usize % subjects.len().max(1);
        subjects.rotate_left(first);
        for subject in subjects {
            eprintln!("round {} of {rounds}, {subject}: {} resources …", round + 1, work.resources);
            let program = program(options, subject)?;
            let run =
                throughput::measure(subject, &program, (round, work.resources), work.common.limits()).await;
            runs.push(run.with_context(|| format!("{subject} could not be measured"))?);
        }
    }
    Ok(runs)
}

async fn idle(
    options: &Options,
    subjects: &[Subject],
    duration: Duration,
    limits: Limits,
) -> Result<Vec<idle::Idle>> {
    let mut runs = Vec::new();
    for subject in subjects {
        eprintln!("{subject}: idle for {duration:?} …");
        let run = idle::measure(*subject, &program(options, *subject)?, duration, limits).await;
        runs.push(run.with_context(|| format!("{subject} could not be measured"))?);
    }
    Ok(runs)
}

async fn scale(
    options: &Options,
    subjects: &[Subject],
    resources: u32,
    limits: Limits,
) -> Result<Vec<scale::Scale>> {
    let mut runs = Vec::new();
    for subject in subjects {
        eprintln!("{subject}: {resources} resources …");
        let run = scale::measure(*subject, &program(options, *subject)?, resources, limits).await;
        runs.push(run.with_context(|| format!("{subject} could not be measured"))?);
    }
    Ok(runs)
}

async fn handovers(
    options: &Options,
    subjects: &[Subject],
    (rounds, resources): (u32, u32),
    times: Times,
    limits: Limits,
) -> Result<Vec<Handovers>> {
    let mut runs = Vec::new();
    for round in 0..rounds {
        for subject in subjects {
            eprintln!("round {} of {rounds}, {subject}: {resources} resources …", round + 1);
            let program = program(options, *subject)?;
            let run = handover::measure(*subject, &program, (round, resources), times, limits).await;
            runs.push(run.with_context(|| format!("{subject} could not be measured"))?);
        }
    }
    Ok(runs)
}

fn program(options: &Options, subject: Subject) -> Result<PathBuf> {
    let program = match subject.kind {
        Kind::Ours => &options.operator,
        Kind::Scaffold | Kind::Best => &options.peer,
    };
    program
        .clone()
        .with_context(|| format!("there is no program for {subject}; start this by `cargo xtask bench`"))
}
