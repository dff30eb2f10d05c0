//! Rules of the production code, broken on purpose: each has to be noticed.

mod list;

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use comfy_table::{Cell, Table, TableStyle, presets};
use simulation::run_report::RunReport;

use super::attempt::Attempt;
use super::tables::{number, table};
use super::{commit, pool};
pub(super) use list::{MUTANTS, Mutant};

/// Which seeds.
#[derive(Args)]
pub(crate) struct MutantsOptions {
    /// The first seed; without it, one that nobody has tried before
    #[arg(long)]
    first_seed: Option<u64>,
    /// Only this one
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// How many schedules at a time; as many as there are cores, if not given
    #[arg(long)]
    jobs: Option<usize>,
    /// Write what was found to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How a mutant was found out.
#[derive(Debug, serde::Serialize)]
pub(super) struct Found {
    name: &'static str,
    expected: &'static str,
    /// With which schedule, counted from one; `None` if with none.
    schedules: Option<usize>,
    seed: u64,
    /// Every checker that noticed.
    checkers: Vec<String>,
}

pub(super) async fn run(options: &MutantsOptions) -> Result<bool> {
    let jobs = options.jobs.unwrap_or_else(pool::default_jobs);
    let first = options.first_seed.unwrap_or_else(|| fastrand::u64(1_000_000..1_000_000_000));
    let chosen: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| options.mutant.as_ref().is_none_or(|name| name == mutant.name))
        .collect();
    if chosen.is_empty() {
        bail!("there is no mutant of this name in the list; there are {}", names().join(", "));
    }
    require_feature()?;
    println!("seeds from {first} on, commit {}", commit::describe());
    let found = find_all(&chosen, first, jobs).await?;
    let clean = run_clean(&found, first, jobs).await?;
    println!("{}", shown(&found, presets::NOTHING));
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&found)?)?;
    }
    let missed: Vec<_> = found.iter().filter(|found| found.schedules.is_none()).collect();
    for found in &missed {
        println!("FAILED: {} was not noticed by {}", found.name, found.expected);
    }
    Ok(clean && missed.is_empty())
}

/// Looks for each mutant, from the same seed on.
pub(super) async fn find_all(mutants: &[&'static Mutant], first: u64, jobs: usize) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for mutant in mutants {
        let found = find(mutant, first, jobs).await?;
        match found.schedules {
            Some(schedules) => {
                eprintln!("{}: schedule {schedules}, {}", found.name, found.checkers.join(", "));
            }
            None => eprintln!("{}: NOT FOUND in {} schedules", mutant.name, mutant.bound),
        }
        all.push(found);
    }
    Ok(all)
}

async fn find(mutant: &'static Mutant, first: u64, jobs: usize) -> Result<Found> {
    let attempts =
        (first..first + mutant.bound).map(|seed| Attempt::of_seed(seed, Some(mutant.name))).collect();
    let noticed = |report: &RunReport| checkers(report).any(|checker| checker == mutant.checker);
    let found = pool::find(attempts, jobs, noticed).await?;
    Ok(Found {
        name: mutant.name,
        expected: mutant.checker,
        schedules: found.as_ref().map(|(nth, _)| nth + 1),
        seed: found.as_ref().map_or(first, |(_, report)| report.seed),
        checkers: found.map(|(_, report)| unique(&report)).unwrap_or_default(),
    })
}

/// The seeds that gave the mutants away have to pass without them: else it was not the mutants that were seen.
pub(super) async fn run_clean(found: &[Found], first: u64, jobs: usize) -> Result<bool> {
    let last = found.iter().map(|found| found.seed).max().unwrap_or(first);
    let attempts = (first..=last).map(|seed| Attempt::of_seed(seed, None)).collect();
    let reports = pool::run_all(attempts, jobs, "the same seeds with nothing broken").await?;
    for report in reports.iter().filter(|report| !report.passed()) {
        println!("FAILED: seed {} fails with nothing broken: {}", report.seed, unique(report).join(", "));
    }
    println!("{} schedules were run with nothing broken", reports.len());
    Ok(reports.iter().all(RunReport::passed))
}

/// The table of what was found how soon.
pub(super) fn shown(found: &[Found], style: TableStyle) -> Table {
    let mut table = table(style, &["rule broken", "noticed by", "expected of", "schedules"]);
    for found in found {
        let schedules = found.schedules.map_or_else(|| Cell::new("never"), |count| number(count as u64));
        table.add_row([
            Cell::new(found.name),
            Cell::new(found.checkers.join(", ")),
            Cell::new(found.expected),
            schedules,
        ]);
    }
    table
}

/// Switches a mutant on for this process.
pub(super) fn activate(name: &str) -> Result<()> {
    activation(name)?();
    Ok(())
}

/// Fails unless [`activate`] would know this mutant, so that it is said once and not by every process that is started.
pub(super) fn require(name: &str) -> Result<()> {
    activation(name).map(drop)
}

/// What switches a mutant on for this process.
#[cfg(feature = "mutants")]
fn activation(name: &str) -> Result<Box<dyn FnOnce()>> {
    use lease_core::mutants as of_leases;
    use shard_router::mutants as of_shards;
    use simulation::mutants as from_outside;

    let lease = of_leases::Mutant::ALL.into_iter().find(|(_, known)| *known == name);
    let shard = of_shards::Mutant::ALL.into_iter().find(|(_, known)| *known == name);
    let outside = from_outside::Mutant::ALL.into_iter().find(|(_, known)| *known == name);
    Ok(match (lease, shard, outside) {
        (Some((mutant, _)), ..) => Box::new(move || of_leases::activate(Some(mutant))),
        (_, Some((mutant, _)), _) => Box::new(move || of_shards::activate(Some(mutant))),
        (_, _, Some((mutant, _))) => Box::new(move || from_outside::activate(mutant)),
        _ => bail!("there is no mutant {name}; those that schedules are run with are {}", names().join(", ")),
    })
}

/// What switches a mutant on for this process.
#[cfg(not(feature = "mutants"))]
fn activation(_: &str) -> Result<Box<dyn FnOnce()>> {
    require_feature()?;
    Ok(Box::new(|| ()))
}

/// Fails unless the mutants are in this program: without them every schedule passes, and each mutant would seem unnoticed.
pub(super) fn require_feature() -> Result<()> {
    if !cfg!(feature = "mutants") {
        bail!(
            "this program was built without the mutants; build it with them (`cargo run --package simulation --features \
             mutants -- mutants`), or use `cargo xtask sim --mutants`, which does"
        );
    }
    Ok(())
}

fn names() -> Vec<&'static str> {
    MUTANTS.iter().map(|mutant| mutant.name).collect()
}

fn checkers(report: &RunReport) -> impl Iterator<Item = &str> {
    report.violations.iter().map(|violation| violation.checker.as_str())
}

fn unique(report: &RunReport) -> Vec<String> {
    let unique: std::collections::BTreeSet<_> = checkers(report).map(str::to_owned).collect();
    unique.into_iter().collect()
}
