//! When the name of a deleted resource is free for another, which may be another shard's.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use shard_router::{Action, Held};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::{Widget, create},
};

/// How long the reconcile waits for the answer to its write: so briefly that nothing else is lost meanwhile.
const CLIENT_TIMEOUT: Duration = Duration::from_millis(1);

/// A reconcile gives up on a write, and the next one, of the deleted resource, succeeds. How long after the first the name was
/// free, and how long a request is assumed to be on its way at most.
pub(crate) async fn freed_after_a_write_was_given_up_on() -> (Duration, Duration) {
    let harness = Harness::new().await;
    create(&harness.widgets, "one", &[("tenant", "a")]).await;
    let mut options = harness.options("op-0", 1);
    options.key_label = Some("tenant".to_owned());
    let timings = options.elections.timings;
    let (network, app) = harness.app(options);
    let given_up = Arc::new(Mutex::new(None));
    let (reconciled, armed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (was_here, impatient) = (reconciled.clone(), armed.clone());
    let (noted, clock, cut) = (given_up.clone(), harness.clock.clone(), network.clone());
    let reconcile = move |_: Arc<Widget>, held: Held| {
        was_here.store(true, Ordering::Relaxed);
        let impatient = impatient.swap(false, Ordering::Relaxed);
        let (noted, clock, cut) = (noted.clone(), clock.clone(), cut.clone());
        async move {
            if impatient {
                cut.swallow_requests(true);
                let maps: Api<ConfigMap> = Api::namespaced(held.client(), NAMESPACE);
                let patch = Patch::Merge(json!({"data": {"a": "b"}}));
                let (params, clock) = (PatchParams::default(), clock.as_ref());
                tokio::select! {
                    _ = maps.patch("one", &params, &patch) => panic!("nothing answers"),
                    () = clock.sleep(CLIENT_TIMEOUT) => {}
                }
                cut.swallow_requests(false);
                *noted.lock().expect("no panic") = Some(clock.now().monotonic);
            }
            Ok::<_, Infallible>(Action::await_change())
        }
    };
    let _replica = Harness::run((network, app), reconcile);
    harness.until("a reconcile", || async { reconciled.load(Ordering::Relaxed) }).await;
    // The watch that follows the first list is to be open by then.
    harness.clock.sleep(Duration::from_secs(1)).await;
    armed.store(true, Ordering::Relaxed);
    let edit = Patch::Merge(json!({"spec": {"size": 1}}));
    harness.widgets.patch("one", &PatchParams::default(), &edit).await.expect("it is there");
    harness
        .until("the write to be given up on", || async { given_up.lock().expect("no panic").is_some() })
        .await;
    harness.widgets.delete("one", &DeleteParams::default()).await.expect("it is there");
    harness
        .until("the name to be free", || async {
            harness.widgets.get_opt("one").await.expect("the API server answers").is_none()
        })
        .await;
    let given_up = given_up.lock().expect("no panic").expect("it was given up on");
    let freed = harness.clock.now().monotonic.duration_since(given_up);
    (freed, timings.lease_duration().saturating_sub(timings.renew_deadline()))
}
