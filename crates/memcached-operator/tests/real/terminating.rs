//! A child that is being deleted and does not go, because somebody's finalizer is on it.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube_testkit::{TestUser, eventually};
use lease_core::{ElectionsOptions, Identity, LeaderElectionId, Timings};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::status::{DEGRADED, READY, condition};
use memcached_operator::reconcile::{MemcachedReconciler, operator};
use serde_json::{Value, json};
use shard_router::{Backoff, Options, RecordSink};

use crate::support::harness;

const PATIENCE: Duration = Duration::from_secs(60);
const FINALIZER: &str = "example.com/backup";
/// Of failed reconciles.
const BASE: Duration = Duration::from_millis(400);
/// So many tries in a row show whether they become rarer.
const TRIES: usize = 6;

/// The records of the replica.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<Value>>>);

impl RecordSink for Records {
    fn write_line(&self, line: &str) -> io::Result<()> {
        let line = serde_json::from_str(line).map_err(io::Error::other)?;
        self.0.lock().expect("no panic").push(line);
        Ok(())
    }
}

impl Records {
    /// When each failed reconcile ended, and when the next one began.
    fn waits(&self) -> Vec<Duration> {
        let lines = self.0.lock().expect("no panic").clone();
        let mut failed = None;
        let mut waits = Vec::new();
        for line in lines {
            let at = Duration::from_nanos(line["boot_ns"].as_u64().expect("each record has its time"));
            match line["record"].as_str() {
                Some("begin") => waits.extend(failed.take().map(|failed| at.saturating_sub(failed))),
                Some("end") if line["outcome"] != "ok" => failed = Some(at),
                _ => {}
            }
        }
        waits
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_does_not_go_is_named_and_asked_for_more_and_more_seldom() {
    let Some(harness) = harness("the API server keeps what has a finalizer").await else { return };
    harness.create("held", json!({"replicas": 1})).await.expect("created");
    let id = LeaderElectionId::new("terminating.test").expect("an ID");
    let identity = Identity::of_pod("pod-a", "00000001").expect("an identity");
    let mut elections = ElectionsOptions::new(id, harness.env.namespace(), identity.clone());
    elections.timings = Timings::fast();
    let records = Records::default();
    let sink: Arc<dyn RecordSink> = Arc::new(records.clone());
    let options = Options::for_crd::<Memcached>(elections)
        .with_watch_namespaces([harness.env.namespace()])
        .with_records(sink)
        .with_backoff(Backoff::new(BASE, 100 * BASE));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let reconciler = MemcachedReconciler::new(identity.as_str());
    let operator = operator(harness.env.config(&TestUser::admin()), options, reconciler);
    let running = tokio::spawn(operator.run(async move { drop(stopped.await) }));

    let services = harness.api::<Service>();
    let finalizers = |finalizers: Value| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    eventually("the Service to be made", PATIENCE, || async {
        services.get_opt("held").await.ok().flatten()
    })
    .await;
    let held = services
        .patch("held", &PatchParams::default(), &finalizers(json!([FINALIZER])))
        .await
        .expect("a finalizer is put on");
    services.delete("held", &DeleteParams::default()).await.expect("deleted");

    let degraded = eventually("the resource to say what it waits for", PATIENCE, || async {
        let conditions = harness.status("held").await.conditions;
        condition(&conditions, DEGRADED).filter(|degraded| degraded.status == "True").cloned()
    })
    .await;
    for part in ["Service held", FINALIZER] {
        assert!(degraded.message.contains(part), "{part} is not in {:?}", degraded.message);
    }
    let waits = eventually("more tries", PATIENCE, || async {
        let waits = records.waits();
        (waits.len() >= TRIES).then_some(waits)
    })
    .await;
    println!("waits between tries: {waits:?}");
    // The status that tells it comes back through the watch and brings a try forward. Jitter takes a half at most.
    let long = |exponent: u32| waits.iter().filter(|wait| **wait >= BASE * 2_u32.pow(exponent) / 2).count();
    assert!(long(0) + 2 >= TRIES, "tries follow each other at once: {waits:?}");
    assert!(long(3) >= 1, "tries do not become rarer: {waits:?}");

    services.patch("held", &PatchParams::default(), &finalizers(json!(null))).await.expect("it lets go");
    eventually("the Service to be made anew", PATIENCE, || async {
        let service = services.get_opt("held").await.ok().flatten()?;
        (service.uid() != held.uid() && service.metadata.deletion_timestamp.is_none()).then_some(())
    })
    .await;
    eventually("the resource to be well again", PATIENCE, || async {
        let conditions = harness.status("held").await.conditions;
        let well = condition(&conditions, DEGRADED).is_some_and(|degraded| degraded.status == "False");
        (well && condition(&conditions, READY).is_some()).then_some(())
    })
    .await;
    drop(stop);
    running.await.expect("no panic").expect("it ends well");
}
