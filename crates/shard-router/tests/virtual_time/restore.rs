//! etcd is restored from a backup under replicas that run: resourceVersions go backwards.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use lease_core::Timings;
use serde_json::json;
use shard_router::{Action, Held, Readiness, TaskContext};

use crate::{
    harness::Harness,
    widget::{Widget, create},
};

const WIDGETS: usize = 8;
/// How often a widget is reconciled again without a reason.
const AGAIN: Duration = Duration::from_secs(5);

/// How long after the restore every widget was reconciled as the backup has it, a new one too, and every replica was ready;
/// `None` if that did not happen within ten minutes.
pub(crate) async fn recovered_after() -> Option<Duration> {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let sizes: Arc<Mutex<BTreeMap<String, i32>>> = Arc::default();
    let seen = sizes.clone();
    let reconcile = move |widget: Arc<Widget>, _: Held| {
        seen.lock().expect("no panic").insert(widget.name_any(), widget.spec.size);
        async { Ok::<_, Infallible>(Action::requeue(AGAIN)) }
    };
    let starts = Arc::new(AtomicUsize::new(0));
    let replicas = ["a", "b"].map(|pod| {
        let (network, app) = harness.app(harness.options(pod, 4));
        let (starts, readiness) = (starts.clone(), app.readiness());
        let app = app.run_on_every_replica("everywhere", move |context: TaskContext| {
            starts.fetch_add(1, Ordering::SeqCst);
            async move { context.shutdown().await }
        });
        (Harness::run((network, app), reconcile.clone()), readiness)
    });
    let all = |size: i32, count: usize| {
        let sizes = sizes.clone();
        move || {
            let sizes = sizes.lock().expect("no panic");
            let done = sizes.len() == count && sizes.values().all(|found| *found == size);
            std::future::ready(done)
        }
    };
    harness.until("every widget to be reconciled", all(0, WIDGETS)).await;
    harness.clock.sleep(Duration::from_secs(60)).await;
    let backup = harness.server().with_machine(|machine| machine.backup());

    // Life goes on: Leases are renewed, widgets edited.
    for number in 0..WIDGETS {
        let edit = Patch::Merge(json!({"spec": {"size": 7}}));
        let name = format!("widget-{number}");
        harness.widgets.patch(&name, &PatchParams::default(), &edit).await.expect("edited");
    }
    harness.until("every edit to be reconciled", all(7, WIDGETS)).await;
    harness.clock.sleep(Duration::from_secs(120)).await;

    // API servers are down for longer than LeaseDuration, and come back with the backup.
    for (replica, _) in &replicas {
        replica.network.swallow(true);
    }
    harness.clock.sleep(2 * Timings::standard().lease_duration()).await;
    harness.server().with_machine(|machine| *machine = backup);
    for (replica, _) in &replicas {
        replica.network.cut();
        replica.network.swallow(false);
    }
    assert_eq!(starts.load(Ordering::SeqCst), replicas.len(), "tasks are started once");
    let restored = harness.clock.now().monotonic;
    sizes.lock().expect("no panic").clear();
    create(&harness.widgets, "new", &[]).await;
    let done = all(0, WIDGETS + 1);
    while harness.clock.now().monotonic < restored + Duration::from_mins(10) {
        harness.clock.sleep(Duration::from_millis(100)).await;
        let ready = replicas.iter().all(|(_, readiness)| readiness.get() == Readiness::Ready);
        // Tasks that hold nothing begin anew as well.
        let anew = starts.load(Ordering::SeqCst) == 2 * replicas.len();
        if ready && anew && done().await {
            return Some(harness.clock.now().monotonic.duration_since(restored));
        }
    }
    None
}
