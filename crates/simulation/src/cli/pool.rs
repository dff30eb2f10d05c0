//! Many processes at a time.

use anyhow::Result;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use simulation::run_report::RunReport;

use super::attempt::Attempt;
use super::progress::Progress;

/// As many as there are cores.
pub(super) fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Runs all of them, `jobs` at a time, and returns their reports in the order of the attempts.
pub(super) async fn run_all(attempts: Vec<Attempt>, jobs: usize, what: &str) -> Result<Vec<RunReport>> {
    let progress = Progress::new(what, attempts.len());
    let mut reports = Vec::new();
    let mut running = std::pin::pin!(started(attempts, jobs));
    while let Some((nth, report)) = running.try_next().await? {
        progress.add(&report);
        reports.push((nth, report));
    }
    reports.sort_by_key(|(nth, _)| *nth);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// Runs one after another, `jobs` at a time, until one is as wanted: its place in the order, and its report. Processes that still run
/// then are killed.
pub(super) async fn find(
    attempts: Vec<Attempt>,
    jobs: usize,
    wanted: impl Fn(&RunReport) -> bool,
) -> Result<Option<(usize, RunReport)>> {
    // In order: which one is found must not depend on how fast each is.
    let mut running =
        std::pin::pin!(stream::iter(attempts).map(async |attempt| attempt.run().await).buffered(jobs));
    let mut nth = 0;
    while let Some(report) = running.try_next().await? {
        if wanted(&report) {
            return Ok(Some((nth, report)));
        }
        nth += 1;
    }
    Ok(None)
}

fn started(attempts: Vec<Attempt>, jobs: usize) -> impl Stream<Item = Result<(usize, RunReport)>> {
    let numbered = stream::iter(attempts).enumerate();
    numbered.map(async |(nth, attempt)| Ok((nth, attempt.run().await?))).buffer_unordered(jobs)
}
