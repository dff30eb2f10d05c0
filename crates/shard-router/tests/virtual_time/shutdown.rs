//! How long a replica takes to end: no longer than its limit, whether the API server answers or not.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use shard_router::{Action, Held, Options};

use crate::{
    harness::{HUNG, Harness, Replica},
    widget::{Widget, create},
};

/// tokio's timers round up to a millisecond, and more than one of them goes off in a row.
const TIMER_ROUNDING: Duration = Duration::from_millis(5);

/// What a reconcile does until it is aborted.
#[derive(Clone, Copy)]
enum Work {
    Returns,
    NeverReturns,
}

/// How long a replica took to end, and its limit.
async fn shutdown(work: Work, api_server_answers: bool) -> (Duration, Duration) {
    let harness = Harness::new().await;
    let options = harness.options("op-0", 4);
    shutdown_of(&harness, options, work, api_server_answers).await
}

/// The same. When it has ended, no reconcile is left.
async fn shutdown_of(
    harness: &Harness,
    options: Options,
    work: Work,
    api_server_answers: bool,
) -> (Duration, Duration) {
    create(&harness.widgets, "one", &[]).await;
    let limit = options.shutdown_limit();
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    // Each reconcile has a clone for as long as it runs.
    let running = Arc::new(());
    let runs = Arc::downgrade(&running);
    let reconcile = move |_: Arc<Widget>, _: Held| {
        counted.fetch_add(1, Ordering::Relaxed);
        let running = running.clone();
        async move {
            match work {
                Work::Returns => {}
                Work::NeverReturns => std::future::pending().await,
            }
            drop(running);
            Ok::<_, Infallible>(Action::await_change())
        }
    };
    let Replica { network, stop, task } = harness.start(options, reconcile);
    harness.until("a reconcile to begin", || async { begun.load(Ordering::Relaxed) > 0 }).await;

    network.swallow(!api_server_answers);
    let told = harness.clock.now().monotonic;
    stop.send(()).expect("it runs");
    tokio::time::timeout(HUNG, task).await.expect("it ends").expect("no panic").expect("no error");
    assert_eq!(runs.strong_count(), 0, "a reconcile, or what makes them, outlives its replica");
    (harness.clock.now().monotonic.duration_since(told), limit)
}

#[tokio::test(start_paused = true)]
async fn an_idle_replica_ends_at_once() {
    let (took, _) = shutdown(Work::Returns, true).await;
    assert!(took < Duration::from_secs(1), "it took {took:?} although everything answers");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_costs_no_more_than_the_limit() {
    let (took, limit) = shutdown(Work::Returns, false).await;
    assert!(took <= limit + TIMER_ROUNDING, "it took {took:?}, and its limit is {limit:?}");
}

#[tokio::test(start_paused = true)]
async fn nor_does_work_that_never_ends() {
    let (took, limit) = shutdown(Work::NeverReturns, true).await;
    assert!(took <= limit + TIMER_ROUNDING, "it took {took:?}, and its limit is {limit:?}");
}

#[tokio::test(start_paused = true)]
async fn nor_do_both_together() {
    let (took, limit) = shutdown(Work::NeverReturns, false).await;
    assert!(took <= limit + TIMER_ROUNDING, "it took {took:?}, and its limit is {limit:?}");
}

#[tokio::test(start_paused = true)]
async fn nor_does_work_that_never_ends_without_leader_election() {
    let harness = Harness::new().await;
    let mut options = harness.options("op-0", 4);
    options.elections.leader_election = false;
    let (took, limit) = shutdown_of(&harness, options, Work::NeverReturns, true).await;
    assert!(took <= limit + TIMER_ROUNDING, "it took {took:?}, and its limit is {limit:?}");
}
