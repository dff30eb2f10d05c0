//! What a reconcile does that the API server refuses for the time being, as API Priority and Fairness does.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use shard_router::{Action, Backoff, Held};
use tokio::time::Instant;

use crate::{
    harness::{Harness, NAMESPACE},
    widget::{Widget, create},
};

/// The longest pause that the replica makes by itself.
const CAP: Duration = Duration::from_secs(60);

/// How long after a reconcile that was refused with this `Retry-After` the next one began.
async fn pause_after(retry_after: Duration) -> Duration {
    let harness = Harness::new().await;
    let begun = Arc::<Mutex<Vec<Instant>>>::default();
    let noted = begun.clone();
    let reconcile = move |_: Arc<Widget>, held: Held| {
        noted.lock().expect("no panic").push(Instant::now());
        let maps: Api<ConfigMap> = Api::namespaced(held.client(), NAMESPACE);
        async move { maps.get_opt("any").await.map(|_| Action::await_change()) }
    };
    let options = harness.options("pod", 1).with_backoff(Backoff::default().with_cap(CAP));
    let (network, app) = harness.app(options);
    network.refuse_as_too_many(Some(retry_after));
    let _replica = Harness::run((network.clone(), app), reconcile);
    create(&harness.widgets, "refused", &[]).await;
    harness
        .until("a reconcile to be refused", || async { !begun.lock().expect("no panic").is_empty() })
        .await;
    network.refuse_as_too_many(None);
    harness.until("another reconcile", || async { begun.lock().expect("no panic").len() > 1 }).await;
    let begun = begun.lock().expect("no panic");
    begun[1].duration_since(begun[0])
}

/// By its own backoff it would come back after a second at the latest.
#[tokio::test(start_paused = true)]
async fn a_reconcile_that_is_refused_with_a_retry_after_waits_that_long() {
    let asked = Duration::from_secs(7);
    let pause = pause_after(asked).await;
    assert!(asked <= pause && pause <= asked * 3 / 2, "after {pause:?}");
}

/// Its own longest pause, spread.
#[tokio::test(start_paused = true)]
async fn a_retry_after_beyond_the_longest_backoff_is_not_waited_for() {
    let pause = pause_after(Duration::from_hours(24)).await;
    assert!(CAP <= pause && pause <= CAP * 3 / 2, "after {pause:?}");
}
