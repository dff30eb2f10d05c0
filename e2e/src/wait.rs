//! Waiting for conditions, each with a deadline that names what was awaited.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);

/// Asks `probe` until it says that the condition holds. What it says instead is part of the error. A request that fails is asked
/// again: an API server on a small machine has its moments.
pub(crate) async fn until<T, F>(what: &str, within: Duration, mut probe: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<WaitStatus<T>>>,
{
    let started = Instant::now();
    loop {
        let last = match probe().await {
            Ok(WaitStatus::Done(value)) => return Ok(value),
            Ok(WaitStatus::NotYet(instead)) => instead,
            Err(error) => format!("{error:#}"),
        };
        if started.elapsed() > within {
            bail!("timed out after {} s waiting for {what}: {last}", within.as_secs());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What a look has shown.
pub(crate) enum WaitStatus<T = ()> {
    Done(T),
    /// What there is instead.
    NotYet(String),
}

impl WaitStatus {
    pub(crate) fn when(done: bool, instead: impl FnOnce() -> String) -> Self {
        if done { Self::Done(()) } else { Self::NotYet(instead()) }
    }
}
