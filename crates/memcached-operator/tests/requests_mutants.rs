//! Rules about what a reconcile may decide on, broken one at a time for the whole process, to prove that the counts of requests would show it.

#[path = "failures/clock.rs"]
mod clock;
#[path = "requests/count.rs"]
mod count;
#[path = "requests/harness.rs"]
mod harness;

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;
use shard_router::mutants::{Mutant, activate};

use crate::count::Counter;
use crate::harness::{Harness, SETTLED};

/// How much later than the resources their children are shown.
const LAG: Duration = Duration::from_millis(500);

static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What a takeover costs whose lists of children come late.
async fn takeover(mutant: Option<Mutant>) -> Counter {
    let _turn = TURN.lock().await;
    activate(mutant);
    let harness = Harness::new().await;
    let first = harness.settle(&["sessions"]).await;
    first.stop().await;
    *harness.counter.lag.lock().expect("no panic") = LAG;
    harness.counter.reset();
    let _second = harness.start("op-1");
    tokio::time::sleep(SETTLED).await;
    activate(None);
    harness.counter
}

/// What a resource costs that is touched right after the reconcile of an edit, when no watch has shown yet what that wrote.
async fn touched_after_an_edit(mutant: Option<Mutant>) -> Counter {
    let _turn = TURN.lock().await;
    activate(mutant);
    let harness = Harness::new().await;
    *harness.counter.lag.lock().expect("no panic") = LAG;
    let _replica = harness.settle(&["sessions"]).await;
    let edit = Patch::Merge(json!({"spec": {"maxConnections": 2048}}));
    harness.memcacheds.patch("sessions", &PatchParams::default(), &edit).await.expect("edited");
    tokio::time::sleep(LAG / 5).await;
    let touch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/note": "x"}}}));
    harness.memcacheds.patch("sessions", &PatchParams::default(), &touch).await.expect("touched");
    tokio::time::sleep(Duration::from_secs(5)).await;
    activate(None);
    harness.counter
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_does_not_wait_for_the_lists_of_children_is_found_out() {
    assert_eq!(takeover(None).await.of_work(), BTreeMap::new());
    let broken = takeover(Some(Mutant::UnlistedIsAbsent)).await;
    assert!(broken.count("patch services") > 0, "{:?}", broken.of_work());
}

#[tokio::test(start_paused = true)]
async fn a_reconcile_that_does_not_wait_for_its_own_writes_is_found_out() {
    let sound = touched_after_an_edit(None).await;
    assert_eq!(sound.count("patch statefulsets.apps"), 1, "{:?}", sound.of_work());
    let broken = touched_after_an_edit(Some(Mutant::OwnWritesNotAwaited)).await;
    assert!(broken.count("patch statefulsets.apps") > 1, "{:?}", broken.of_work());
}
