//! Waiting for a condition instead of sleeping.

use std::time::{Duration, Instant};

/// Asks `probe` again and again until it answers with a value, and returns that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::time::Duration;
///
/// let mut left = 3;
/// let probe = || {
///     left -= 1;
///     let done = (left == 0).then_some("done");
///     async move { done }
/// };
/// let answer = kube_testkit::eventually("the countdown to end", Duration::from_secs(5), probe).await;
/// assert_eq!(answer, "done");
/// # }
/// ```
///
/// # Panics
///
/// If there is no value after `within`; the message names `what` was awaited.
pub async fn eventually<T, F>(what: &str, within: Duration, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    const BETWEEN: Duration = Duration::from_millis(20);
    let started = Instant::now();
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(started.elapsed() < within, "timed out after {within:?} waiting for {what}");
        tokio::time::sleep(BETWEEN).await;
    }
}
