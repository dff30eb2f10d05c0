//! Many processes at a time.

use anyhow::Result;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use simulation::outcome::Outcome;

use super::attempt::Attempt;
use super::progress::Progress;

/// As many as there are cores.
pub(super) fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Runs all of them, `jobs` at a time, and returns their outcomes in the order of the attempts.
pub(super) async fn run_all(attempts: Vec<Attempt>, jobs: usize, what: &str) -> Result<Vec<Outcome>> {
    let progress = Progress::new(what, attempts.len());
    let mut outcomes = Vec::new();
    let mut running = std::pin::pin!(started(attempts, jobs));
    while let Some((nth, outcome)) = running.try_next().await? {
        progress.add(&outcome);
        outcomes.push((nth, outcome));
    }
    outcomes.sort_by_key(|(nth, _)| *nth);
    Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
}

/// Runs one after another, `jobs` at a time, until one is as wanted: its place in the order, and its outcome. Processes that still run
/// then are killed.
pub(super) async fn find(
    attempts: Vec<Attempt>,
    jobs: usize,
    wanted: impl Fn(&Outcome) -> bool,
) -> Result<Option<(usize, Outcome)>> {
    // In order: which one is found must not depend on how fast each is.
    let mut running =
        std::pin::pin!(stream::iter(attempts).map(async |attempt| attempt.run().await).buffered(jobs));
    let mut nth = 0;
    while let Some(outcome) = running.try_next().await? {
        if wanted(&outcome) {
            return Ok(Some((nth, outcome)));
        }
        nth += 1;
    }
    Ok(None)
}

fn started(attempts: Vec<Attempt>, jobs: usize) -> impl Stream<Item = Result<(usize, Outcome)>> {
    let numbered = stream::iter(attempts).enumerate();
    numbered.map(async |(nth, attempt)| Ok((nth, attempt.run().await?))).buffer_unordered(jobs)
}
