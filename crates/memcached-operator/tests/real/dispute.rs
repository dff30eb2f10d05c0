//! Somebody else who writes the same fields.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use lease_core::{Clock, Now, SystemClock};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::MemcachedReconciler;
use serde_json::json;

use crate::support::{Stage, stage};

/// Stands still until the test moves it.
#[derive(Debug, Default)]
struct ByHand(Mutex<Duration>);

impl ByHand {
    fn pass(&self, span: Duration) {
        *self.0.lock().expect("no panic") += span;
    }
}

impl Clock for ByHand {
    fn now(&self) -> Now {
        Now::default().after(*self.0.lock().expect("no panic"))
    }

    fn wall(&self) -> Timestamp {
        SystemClock.wall()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(span)
    }
}

struct Dispute {
    stage: Stage,
    clock: Arc<ByHand>,
    reconciler: MemcachedReconciler,
}

impl Dispute {
    async fn reconcile(&self) {
        let bucket = ("cache.example.com/bucket".to_owned(), "17".to_owned());
        let seen = self.stage.api::<Memcached>().get("disputed").await.expect("there");
        Box::pin(self.reconciler.run(&seen, &self.stage.client, &bucket, 0)).await.expect("reconciled");
    }

    async fn healed(&self) -> Vec<Event> {
        let events = self.stage.api::<Event>().list(&ListParams::default()).await.expect("listed").items;
        events.into_iter().filter(|event| event.reason.as_deref() == Some("DriftHealed")).collect()
    }
}

async fn dispute(why: &str) -> Option<Dispute> {
    let stage = stage(why).await?;
    let clock = Arc::new(ByHand::default());
    let reconciler = MemcachedReconciler::new("tests_1").with_clock(clock.clone());
    stage.create("disputed", json!({"replicas": 3})).await.expect("created");
    let dispute = Dispute { stage, clock, reconciler };
    dispute.reconcile().await;
    Some(dispute)
}

#[tokio::test]
async fn a_second_writer_costs_few_writes_and_one_event() {
    let Some(dispute) = dispute("the API server books fields by manager").await else { return };
    let sets = dispute.stage.api::<StatefulSet>();
    let theirs = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 1}});
    let params = PatchParams::apply("scaler").force();
    // Ten seconds, in which it writes a hundred times.
    for _ in 0..100 {
        sets.patch("disputed", &params, &Patch::Apply(&theirs)).await.expect("forced");
        dispute.reconcile().await;
        dispute.clock.pass(Duration::from_millis(100));
    }
    // Created; then mended, and changed back, at 0, 1, 3 and 7 seconds.
    let set = sets.get("disputed").await.expect("there");
    assert_eq!(set.metadata.generation, Some(1 + 4 * 2 + 1));
    let events = dispute.healed().await;
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0].series.as_ref().expect("a series").count, 4);
    let note = events[0].note.as_deref().unwrap_or_default();
    assert!(note.contains("StatefulSet disputed (spec.replicas, also written by scaler)"), "{note}");

    // A change of the spec does not wait.
    dispute.stage.change("disputed", json!({"replicas": 5})).await.expect("changed");
    dispute.reconcile().await;
    let set = sets.get("disputed").await.expect("there");
    assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(5));
}

#[tokio::test]
async fn what_others_add_is_no_drift() {
    let Some(dispute) = dispute("the API server merges what is applied").await else { return };
    let services = dispute.stage.api::<Service>();
    for round in 0..5 {
        let added = json!({"metadata": {"annotations": {"example.com/seen": round.to_string()}}});
        let added = services.patch("disputed", &PatchParams::default(), &Patch::Merge(&added)).await;
        let version = added.expect("added").metadata.resource_version;
        dispute.reconcile().await;
        let service = services.get("disputed").await.expect("there");
        assert_eq!(service.metadata.resource_version, version, "nothing is written");
    }
    assert_eq!(dispute.healed().await, []);
}
