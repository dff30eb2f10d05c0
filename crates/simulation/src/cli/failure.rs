//! What to say of a schedule that failed: how to replay it, and what happened.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use simulation::run_report::RunReport;
use simulation::schedule::Schedule;
use simulation::shrink::{Effort, shrink};

use super::attempt::{Attempt, HUNG, Which};
use super::{commit, pool};

/// What is done about failures.
#[derive(Args)]
pub(crate) struct Shrinking {
    /// Shrink at most so many failing schedules, one for each checker
    #[arg(long, value_name = "COUNT", default_value_t = 3)]
    shrink: usize,
    /// Make a failing schedule smaller with at most so many runs
    #[arg(long, value_name = "RUNS", default_value_t = 200)]
    shrink_runs: usize,
    /// Where shrunk schedules are written
    #[arg(long, value_name = "DIR", default_value = "target/simulation")]
    out: PathBuf,
}

/// Prints each failure, and shrinks one for each checker: the smallest, as it takes the least time.
pub(super) async fn explain(
    reports: &[RunReport],
    mutant: Option<&str>,
    shrinking: &Shrinking,
    jobs: usize,
) -> Result<()> {
    let mut failed: Vec<_> = reports.iter().filter(|report| !report.passed()).collect();
    for report in &failed {
        let replay = Attempt::of_seed(report.seed, mutant);
        println!("\nseed {} at commit {}", report.seed, commit::describe());
        for violation in report.violations.iter().take(5) {
            println!("  {}: {}", violation.checker, violation.sentence);
        }
        println!("  replay: cargo xtask sim {}", replay.args().join(" "));
    }
    failed.sort_by_key(|report| cost(report));
    let mut seen = BTreeSet::new();
    failed.retain(|report| seen.insert(&report.violations[0].checker));
    for report in failed.into_iter().take(shrinking.shrink) {
        if report.violations[0].checker == HUNG {
            // Every attempt would take as long as a process may take.
            continue;
        }
        smallest(report, mutant, shrinking, jobs).await?;
    }
    Ok(())
}

fn cost(report: &RunReport) -> u64 {
    let size = report.size;
    u64::from(size.shards) * u64::try_from(size.replicas * size.resources).unwrap_or(u64::MAX)
}

/// Shrinks a schedule, writes it down, and shows what happens in it.
async fn smallest(
    report: &RunReport,
    mutant: Option<&str>,
    shrinking: &Shrinking,
    jobs: usize,
) -> Result<()> {
    let seed = report.seed;
    let checker = &report.violations[0].checker;
    let out = &shrinking.out;
    fs::create_dir_all(out).with_context(|| format!("{} could not be created", out.display()))?;
    eprintln!(
        "shrinking the schedule of seed {seed} ({checker}), with at most {} runs",
        shrinking.shrink_runs
    );
    let effort = Effort { runs: shrinking.shrink_runs, at_once: jobs };
    let scratch = tempfile::tempdir().context("no directory could be made for schedules to try")?;
    let mut last_error = None;
    let small = shrink(Schedule::draw(seed), effort, async |candidates: &[Schedule]| {
        let found = first_failing(candidates, checker, mutant, scratch.path()).await;
        found.unwrap_or_else(|error| {
            last_error = Some(error);
            None
        })
    });
    let small = small.await;
    if let Some(error) = last_error {
        return Err(error);
    }
    let file = out.join(format!("{seed}.json"));
    write(&small, &file)?;
    let attempt = Attempt { which: Which::File(file, seed), mutant: mutant.map(str::to_owned) };
    let (_, shown) = attempt.run_with_timeline().await?;
    println!(
        "\nseed {seed}, shrunk to {} replicas, {} shards, {} resources, {} faults and {} edits in {:.0} s",
        small.replicas.len(),
        small.shards,
        small.resources,
        small.faults.len(),
        small.edits.len(),
        small.busy_for.as_secs_f64()
    );
    println!("  replay: cargo xtask sim {}", attempt.args().join(" "));
    println!("{shown}");
    Ok(())
}

async fn first_failing(
    candidates: &[Schedule],
    checker: &str,
    mutant: Option<&str>,
    scratch: &Path,
) -> Result<Option<usize>> {
    let mut attempts = Vec::new();
    for (nth, candidate) in candidates.iter().enumerate() {
        let file = scratch.join(format!("{nth}.json"));
        write(candidate, &file)?;
        attempts
            .push(Attempt { which: Which::File(file, candidate.seed), mutant: mutant.map(str::to_owned) });
    }
    let fails = |report: &RunReport| report.violations.iter().any(|violation| violation.checker == checker);
    Ok(pool::find(attempts, candidates.len().max(1), fails).await?.map(|(nth, _)| nth))
}

fn write(schedule: &Schedule, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(schedule)?;
    fs::write(file, text).with_context(|| format!("the schedule could not be written to {}", file.display()))
}
