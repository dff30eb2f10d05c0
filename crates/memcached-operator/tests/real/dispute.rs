//! Somebody else who writes the same fields.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::controller::Action;
use lease_core::{Clock, Now, SystemClock};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::status::condition;
use memcached_operator::reconcile::{MemcachedReconciler, fetch};
use serde_json::json;

use crate::support::{Harness, harness};

/// When the test's clock begins.
const START: &str = "2026-01-02T03:04:05Z";

/// Stands still until the test moves it.
#[derive(Debug, Default)]
pub(crate) struct ByHand(Mutex<Duration>);

impl ByHand {
    pub(crate) fn pass(&self, span: Duration) {
        *self.0.lock().expect("no panic") += span;
    }
}

impl Clock for ByHand {
    fn now(&self) -> Now {
        Now::default().after(*self.0.lock().expect("no panic"))
    }

    fn wall(&self) -> Timestamp {
        START.parse::<Timestamp>().expect("a time") + *self.0.lock().expect("no panic")
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(span)
    }
}

/// A resource that is reconciled on a clock of its own.
pub(crate) struct Dispute {
    pub(crate) harness: Harness,
    pub(crate) clock: Arc<ByHand>,
    reconciler: MemcachedReconciler,
}

impl Dispute {
    pub(crate) async fn reconcile(&self) -> Action {
        let bucket = ("cache.example.com/bucket".to_owned(), "17".to_owned());
        let seen = self.harness.api::<Memcached>().get("disputed").await.expect("there");
        let client = &self.harness.client;
        let children = fetch::children(client, &seen, self.reconciler.applier()).await;
        Box::pin(self.reconciler.run(&seen, children, client, Some(&bucket), 0)).await.expect("reconciled")
    }

    /// The events of this reason.
    pub(crate) async fn told(&self, reason: &str) -> Vec<Event> {
        let events = self.harness.api::<Event>().list(&ListParams::default()).await.expect("listed").items;
        events.into_iter().filter(|event| event.reason.as_deref() == Some(reason)).collect()
    }

    /// How many event objects there are on the resource, by reason, and the count of each.
    pub(crate) async fn counts(&self) -> Vec<(String, i32)> {
        let events = self.harness.api::<Event>().list(&ListParams::default()).await.expect("listed").items;
        let on_it = events.into_iter().filter(|event| {
            event.regarding.as_ref().is_some_and(|on| on.kind.as_deref() == Some("Memcached"))
        });
        let mut counts: Vec<_> = on_it
            .map(|event| (event.reason.unwrap_or_default(), event.series.map_or(1, |series| series.count)))
            .collect();
        counts.sort();
        counts
    }

    /// `Type=Status Reason` of these conditions.
    pub(crate) async fn conditions<const N: usize>(&self, types: [&str; N]) -> [String; N] {
        let status = self.harness.status("disputed").await;
        types.map(|type_| {
            let found = condition(&status.conditions, type_).expect(type_);
            format!("{type_}={} {}", found.status, found.reason)
        })
    }

    pub(crate) async fn degraded(&self) -> String {
        let status = self.harness.status("disputed").await;
        condition(&status.conditions, "Degraded").expect("Degraded").message.clone()
    }

    async fn version(&self) -> Option<String> {
        self.harness.api::<Memcached>().get("disputed").await.expect("there").metadata.resource_version
    }
}

pub(crate) async fn dispute(why: &str) -> Option<Dispute> {
    let harness = harness(why).await?;
    let clock = Arc::new(ByHand::default());
    let reconciler = MemcachedReconciler::new("tests_1").with_clock(clock.clone());
    harness.create("disputed", json!({"replicas": 3})).await.expect("created");
    let dispute = Dispute { harness, clock, reconciler };
    dispute.reconcile().await;
    // Events are named by the time.
    dispute.clock.pass(Duration::from_millis(1));
    Some(dispute)
}

pub(crate) fn counts(expected: &[(&str, i32)]) -> Vec<(String, i32)> {
    expected.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
}

#[tokio::test]
async fn a_second_writer_costs_few_writes_and_one_event() {
    let Some(dispute) = dispute("the API server books fields by manager").await else { return };
    let sets = dispute.harness.api::<StatefulSet>();
    let theirs = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 1}});
    let params = PatchParams::apply("scaler").force();
    let (mut versions, mut seen) = (0, dispute.version().await);
    // Ten seconds, in which it writes a hundred times.
    for _ in 0..100 {
        sets.patch("disputed", &params, &Patch::Apply(&theirs)).await.expect("forced");
        dispute.reconcile().await;
        let version = dispute.version().await;
        versions += usize::from(version != seen);
        seen = version;
        dispute.clock.pass(Duration::from_millis(100));
    }
    // Created; then mended, and changed back, at 0, 1, 3 and 7 seconds.
    let set = sets.get("disputed").await.expect("there");
    assert_eq!(set.metadata.generation, Some(1 + 4 * 2 + 1));
    // What is said of it changes when it is held back, four times, and when it is restored again, three times.
    assert_eq!(versions, 4 + 3, "writes of the status");
    let expected = counts(&[("ChangedByOthers", 1), ("Created", 1), ("DriftHealed", 4)]);
    assert_eq!(dispute.counts().await, expected);
    let note = dispute.told("DriftHealed").await.remove(0).note.unwrap_or_default();
    assert!(note.contains("StatefulSet disputed (spec.replicas, also written by scaler)"), "{note}");

    // While a mending waits, the resource says what differs, by whom, since when, and when the next is due.
    assert_eq!(
        dispute.degraded().await,
        "StatefulSet disputed is repeatedly changed (spec.replicas, also written by scaler). It was restored 4 times since \
         2026-01-02T03:04:05Z, and will be restored again at 2026-01-02T03:04:21Z."
    );
    let types = ["Ready", "Reconciling", "Stalled", "Degraded"];
    let held_back = [
        "Ready=False ChangedByOthers",
        "Reconciling=True ChangedByOthers",
        "Stalled=False NotStalled",
        "Degraded=True ChangedByOthers",
    ];
    assert_eq!(dispute.conditions(types).await, held_back);

    // A change of the spec does not wait.
    dispute.harness.change("disputed", json!({"replicas": 5})).await.expect("changed");
    dispute.reconcile().await;
    let set = sets.get("disputed").await.expect("there");
    assert_eq!(set.spec.and_then(|spec| spec.replicas), Some(5));
    let restored = [
        "Ready=False RollingOut",
        "Reconciling=True RollingOut",
        "Stalled=False NotStalled",
        "Degraded=True ChangedByOthers",
    ];
    assert_eq!(dispute.conditions(types).await, restored);

    // Nobody changes it any more.
    dispute.clock.pass(Duration::from_secs(8));
    dispute.reconcile().await;
    assert_eq!(dispute.conditions(["Degraded"]).await, ["Degraded=False AsExpected"]);
    let expected = counts(&[
        ("ChangedByOthers", 1),
        ("Created", 1),
        ("DriftHealed", 4),
        ("Recovered", 1),
        ("Updated", 1),
    ]);
    assert_eq!(dispute.counts().await, expected);
}

#[tokio::test]
async fn a_child_that_is_deleted_again_and_again_is_made_more_and_more_seldom() {
    let Some(dispute) = dispute("the API server deletes").await else { return };
    let sets = dispute.harness.api::<StatefulSet>();
    let (mut deletions, mut actions) = (0, Vec::new());
    // Ten seconds, in which somebody deletes it whenever it is there.
    for _ in 0..100 {
        if sets.get_opt("disputed").await.expect("asked").is_some() {
            sets.delete("disputed", &DeleteParams::default()).await.expect("deleted");
            deletions += 1;
        }
        actions.push(dispute.reconcile().await);
        dispute.clock.pass(Duration::from_millis(100));
    }
    // Made again at 0, 1, 3 and 7 seconds, and deleted before each of these and once more.
    assert_eq!(deletions, 5);
    // The first time it is made again is told as `Created`, with a note of its own.
    let expected = counts(&[("ChangedByOthers", 1), ("Created", 1), ("Created", 1), ("DriftHealed", 3)]);
    assert_eq!(dispute.counts().await, expected);
    let note = dispute.told("DriftHealed").await.remove(0).note.unwrap_or_default();
    assert!(note.starts_with("Created StatefulSet disputed again."), "{note}");
    assert_eq!(
        dispute.degraded().await,
        "StatefulSet disputed is repeatedly deleted; the audit log of the API server shows by whom. It was restored 4 \
         times since 2026-01-02T03:04:05Z, and will be created again at 2026-01-02T03:04:21Z."
    );
    assert_eq!(
        dispute.conditions(["Ready", "Reconciling"]).await,
        ["Ready=False ChangedByOthers", "Reconciling=True ChangedByOthers"]
    );
    // Reconciled at 9.9 s, made again at 15 s.
    assert_eq!(actions.last(), Some(&Action::requeue(Duration::from_millis(5_100))));
    let status = dispute.harness.status("disputed").await;
    assert_eq!((status.replicas, status.ready_replicas), (0, 0), "no servers are left");
    // The other children are looked after meanwhile.
    dispute.harness.api::<Service>().delete("disputed", &DeleteParams::default()).await.expect("deleted");
    dispute.reconcile().await;
    assert!(dispute.harness.api::<Service>().get_opt("disputed").await.expect("asked").is_some());
    dispute.clock.pass(Duration::from_secs(5));
    dispute.reconcile().await;
    assert!(sets.get_opt("disputed").await.expect("asked").is_some());
}

#[tokio::test]
async fn what_others_add_is_no_drift() {
    let Some(dispute) = dispute("the API server merges what is applied").await else { return };
    let services = dispute.harness.api::<Service>();
    for round in 0..5 {
        let added = json!({"metadata": {"annotations": {"example.com/seen": round.to_string()}}});
        let added = services.patch("disputed", &PatchParams::default(), &Patch::Merge(&added)).await;
        let version = added.expect("added").metadata.resource_version;
        dispute.reconcile().await;
        let service = services.get("disputed").await.expect("there");
        assert_eq!(service.metadata.resource_version, version, "nothing is written");
    }
    assert_eq!(dispute.counts().await, counts(&[("Created", 1)]));
}
