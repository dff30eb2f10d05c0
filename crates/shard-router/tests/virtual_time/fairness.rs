//! What one resource may take from others, and what one replica takes at once.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use shard_router::{Action, Held};

use crate::{
    harness::Harness,
    widget::{Widget, create},
};

const QUIET: usize = 20;
const NOISY: &str = "noisy";
/// How long a reconcile takes.
const WORK: Duration = Duration::from_secs(1);

/// A resource that changes all the time has one turn at a time, and queues behind everybody who waits already.
#[tokio::test(start_paused = true)]
async fn a_noisy_resource_does_not_starve_its_shard() {
    let harness = Harness::new().await;
    create(&harness.widgets, NOISY, &[]).await;
    let turns = Arc::<Mutex<BTreeMap<String, usize>>>::default();
    let (counted, clock) = (turns.clone(), harness.clock.clone());
    let reconcile = move |widget: Arc<Widget>, _: Held| {
        *counted.lock().unwrap().entry(widget.name_any()).or_default() += 1;
        let work = clock.sleep(WORK);
        async move {
            work.await;
            Ok::<_, Infallible>(Action::await_change())
        }
    };
    let _replica = harness.start(harness.options("pod", 1).with_concurrency_per_shard(1), reconcile);
    let turns_of = |name: &str| turns.lock().unwrap().get(name).copied().unwrap_or_default();
    let (widgets, clock) = (harness.widgets.clone(), harness.clock.clone());
    let edits = async {
        for edit in 0_u64.. {
            let patch = Patch::Merge(json!({"metadata": {"annotations": {"edit": edit.to_string()}}}));
            widgets.patch(NOISY, &PatchParams::default(), &patch).await.unwrap();
            clock.sleep(WORK / 20).await;
        }
    };
    let others = async {
        harness
            .until("the noisy one to be reconciled again and again", || async { turns_of(NOISY) > 3 })
            .await;
        let before = turns_of(NOISY);
        for number in 0..QUIET {
            create(&harness.widgets, &format!("quiet-{number}"), &[]).await;
        }
        let done = || async { turns.lock().unwrap().len() == QUIET + 1 };
        harness.until("every quiet one to have its turn", done).await;
        turns_of(NOISY) - before
    };
    tokio::select! {
        () = edits => unreachable!("it never ends"),
        meanwhile = others => assert!(meanwhile <= 5, "{meanwhile} turns of the noisy one for {QUIET} of others"),
    }
}

/// However many shards a replica inherits, it works on so many resources at once.
#[tokio::test(start_paused = true)]
async fn a_replica_bounds_what_it_does_at_once_over_all_of_its_shards() {
    const AT_ONCE: usize = 3;
    let harness = Harness::new().await;
    for number in 0..QUIET {
        create(&harness.widgets, &format!("quiet-{number}"), &[]).await;
    }
    let (running, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = Arc::new((running, most, done));
    let (counted, clock) = (counts.clone(), harness.clock.clone());
    let reconcile = move |_: Arc<Widget>, _: Held| {
        let (counts, work) = (counted.clone(), clock.sleep(WORK));
        async move {
            let now = counts.0.fetch_add(1, SeqCst) + 1;
            counts.1.fetch_max(now, SeqCst);
            work.await;
            counts.0.fetch_sub(1, SeqCst);
            counts.2.fetch_add(1, SeqCst);
            Ok::<_, Infallible>(Action::await_change())
        }
    };
    let _replica = harness.start(harness.options("pod", 8).with_concurrency(AT_ONCE), reconcile);
    harness.until("all to be reconciled", || async { counts.2.load(SeqCst) >= QUIET }).await;
    assert_eq!(counts.1.load(SeqCst), AT_ONCE);
}
