//! Connections that die without a word: what was under way on them is never answered, and new requests are.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use shard_router::{Action, Held};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::{Widget, create},
};

const WIDGETS: usize = 8;

/// How long after the connections died every edit was reconciled; `None` if that did not happen within ten minutes.
pub(crate) async fn recovered_after() -> Option<Duration> {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let sizes: Arc<Mutex<BTreeMap<String, i32>>> = Arc::default();
    let seen = sizes.clone();
    let reconcile = move |widget: Arc<Widget>, held: Held| {
        let seen = seen.clone();
        async move {
            let widgets: Api<Widget> = Api::namespaced(held.client(), NAMESPACE);
            let widget = widgets.get(&widget.name_any()).await?;
            seen.lock().expect("no panic").insert(widget.name_any(), widget.spec.size);
            Ok::<_, kube::Error>(Action::await_change())
        }
    };
    let replica = harness.start(harness.options("op-0", 4), reconcile);
    let all = |size: i32| {
        let sizes = sizes.clone();
        move || {
            let sizes = sizes.lock().expect("no panic");
            std::future::ready(sizes.len() == WIDGETS && sizes.values().all(|found| *found == size))
        }
    };
    harness.until("every widget to be reconciled", all(0)).await;

    // Watches go on, so every edit is seen; what is asked because of it is never answered.
    replica.network.swallow_requests(true);
    for number in 0..WIDGETS {
        let edit = Patch::Merge(json!({"spec": {"size": 7}}));
        let name = format!("widget-{number}");
        harness.widgets.patch(&name, &PatchParams::default(), &edit).await.expect("edited");
    }
    harness.clock.sleep(Duration::from_secs(1)).await;
    replica.network.swallow_requests(false);
    let died = harness.clock.now().monotonic;
    let done = all(7);
    while harness.clock.now().monotonic < died + Duration::from_mins(10) {
        if done().await {
            return Some(harness.clock.now().monotonic.duration_since(died));
        }
        harness.clock.sleep(Duration::from_millis(100)).await;
    }
    None
}
