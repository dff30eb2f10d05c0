//! Many schedules.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use simulation::run_report::{RunReport, Violation};

use super::attempt::Attempt;
use super::failure::{self, Shrinking};
use super::summary::Summary;
use super::{commit, fixed, mutants, pool, tables};

/// Which schedules.
#[derive(Args)]
pub(crate) struct ManyOptions {
    /// How many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed; without it, one that nobody has tried before
    #[arg(long)]
    first_seed: Option<u64>,
    /// The schedules that every change is tried with
    #[arg(long, conflicts_with_all = ["seeds", "first_seed"])]
    fixed: bool,
    /// Run so many of them twice: the traces have to be the same
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    twice: usize,
    /// How many at a time; as many as there are cores, if not given
    #[arg(long)]
    jobs: Option<usize>,
    /// Break this rule on purpose
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Write the sums to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    shrinking: Shrinking,
}

pub(super) async fn run(options: &ManyOptions) -> Result<bool> {
    if let Some(mutant) = &options.mutant {
        mutants::require(mutant)?;
    }
    let jobs = options.jobs.unwrap_or_else(pool::default_jobs);
    let seeds = options.seeds();
    if let (Some(first), Some(last)) = (seeds.first(), seeds.last()) {
        println!("{} seeds from {first} to {last}", seeds.len());
    }
    let started = Instant::now();
    let attempts: Vec<_> =
        seeds.into_iter().map(|seed| Attempt::of_seed(seed, options.mutant.as_deref())).collect();
    let mut reports = pool::run_all(attempts.clone(), jobs, "schedules").await?;
    let took = started.elapsed();
    let again: Vec<_> = attempts.into_iter().take(options.twice).collect();
    compare(&mut reports, &pool::run_all(again, jobs, "the same again").await?);

    let summary = Summary::of(&reports, commit::describe(), took);
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&summary)?)
            .with_context(|| format!("the sums could not be written to {}", file.display()))?;
    }
    failure::explain(&reports, options.mutant.as_deref(), &options.shrinking, jobs).await?;
    tables::print(&summary);
    if options.twice > 0 {
        println!("{} schedules were run twice, and compared", options.twice.min(reports.len()));
    }
    Ok(summary.passed())
}

impl ManyOptions {
    fn seeds(&self) -> Vec<u64> {
        if self.fixed {
            return fixed::seeds().collect();
        }
        // Short enough to be typed, and far from the fixed ones.
        let first = self.first_seed.unwrap_or_else(|| fastrand::u64(1_000_000..1_000_000_000));
        (first..=first.saturating_add(self.seeds - 1)).collect()
    }
}

/// The same seed has to give the same trace, or no failure could be replayed.
fn compare(reports: &mut [RunReport], again: &[RunReport]) {
    for (first, second) in reports.iter_mut().zip(again) {
        if first.digest != second.digest {
            first.violations.push(Violation {
                checker: "repeatable".to_owned(),
                sentence: format!(
                    "Two runs of seed {} differ: the digests of their traces are {:?} and {:?}.",
                    first.seed, first.digest, second.digest
                ),
                at: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_digest_is_a_violation() {
        let report = |digest: &str| RunReport { digest: digest.to_owned(), ..RunReport::default() };
        let mut reports = [report("a"), report("b"), report("c")];
        compare(&mut reports, &[report("a"), report("x")]);
        assert_eq!(reports.map(|report| report.passed()), [true, false, true]);
    }
}
