//! What a reconcile costs the API server, counted: a whole replica on an API server in memory, in tokio's paused time.

#[path = "failures/clock.rs"]
mod clock;
#[path = "requests/count.rs"]
mod count;
#[path = "requests/harness.rs"]
mod harness;

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
#[cfg(feature = "mutants")]
use memcached_operator::reconcile::status::{READY, condition};
use serde_json::json;
use shard_router::ShardKey;

use crate::harness::{Harness, SETTLED};

const RESOURCES: usize = 50;

/// A new resource, from its creation until its status says that its children are there: it is stamped, three children are applied, the status is written
/// and an event is published.
#[tokio::test(start_paused = true)]
async fn a_new_resource_costs_six_writes_and_no_read() {
    let harness = Harness::new().await;
    let _replica = harness.start("op-0");
    tokio::time::sleep(SETTLED).await;
    harness.counter.reset();
    harness.create("sessions").await;
    tokio::time::sleep(SETTLED / 4).await;
    let expected = [
        ("create events.events.k8s.io", 1),
        ("patch memcacheds.cache.example.com", 1),
        ("patch memcacheds/status.cache.example.com", 1),
        ("patch poddisruptionbudgets.policy", 1),
        ("patch services", 1),
        ("patch statefulsets.apps", 1),
    ];
    assert_eq!(harness.counter.of_work(), counts(&expected));
}

/// Webhooks may hold a request up for half a minute. Who waits for the resource sees meanwhile that it has been noticed.
#[cfg(feature = "mutants")]
#[tokio::test(start_paused = true)]
async fn a_first_reconcile_that_takes_long_says_that_it_has_begun() {
    let harness = Harness::new().await;
    let slow = Duration::from_secs(20);
    let _replica = harness
        .start_with("op-0", shard_router::ShardCount::ONE, |reconciler| reconciler.with_delay(slow, slow, 1));
    tokio::time::sleep(SETTLED).await;
    harness.counter.reset();
    harness.create("sessions").await;
    tokio::time::sleep(slow / 2).await;
    let status = harness.memcacheds.get("sessions").await.expect("there").status.unwrap_or_default();
    assert_eq!(status.observed_generation, Some(1));
    let ready = condition(&status.conditions, READY).expect("said");
    assert_eq!((&*ready.status, &*ready.reason), ("False", "Reconciling"));
    tokio::time::sleep(SETTLED / 4).await;
    assert_eq!(harness.counter.count("patch memcacheds/status.cache.example.com"), 2);
    assert_eq!(harness.counter.count("patch statefulsets.apps"), 1);
}

/// The coordinator stamps, and nobody else: one write for each, in the same instant. Nothing on the way from a new resource to its children waits for a timer.
#[tokio::test(start_paused = true)]
async fn several_replicas_stamp_each_resource_once_and_at_once() {
    let harness = Harness::new().await;
    let shards = "6".parse().expect("a number of shards");
    let _replicas =
        ["op-0", "op-1", "op-2"].map(|pod| harness.start_with(pod, shards, |reconciler| reconciler));
    tokio::time::sleep(SETTLED).await;
    harness.counter.reset();
    let created = tokio::time::Instant::now();
    for number in 0..RESOURCES {
        harness.create(&format!("cache-{number}")).await;
    }
    harness.until_each(RESOURCES, |memcached| memcached.status.as_ref()?.observed_generation).await;
    let took = created.elapsed();
    tokio::time::sleep(SETTLED).await;
    let stamps = harness.counter.stamps();
    assert_eq!(stamps.len(), RESOURCES);
    let coordinator = stamps.values().next().expect("there are some")[0].0.clone();
    let once = vec![(coordinator, "patch memcacheds.cache.example.com".to_owned())];
    for (path, writes) in stamps {
        assert_eq!(writes, once, "{path}");
    }
    assert_eq!(took, Duration::ZERO, "something waits for a timer");
}

/// An older version beside this one records each bucket that it finds unrecorded. It is the same, so nothing follows from it.
#[tokio::test(start_paused = true)]
async fn a_bucket_that_an_older_version_records_costs_nothing() {
    let harness = Harness::new().await;
    let _replica = harness.start("op-0");
    harness.create("sessions").await;
    tokio::time::sleep(SETTLED).await;
    harness.roll_out().await;
    tokio::time::sleep(SETTLED).await;
    harness.counter.reset();
    let bucket = ShardKey::from("default/sessions").bucket();
    let record = Patch::Merge(json!({"status": {"bucket": bucket}}));
    harness.memcacheds.patch_status("sessions", &PatchParams::default(), &record).await.expect("recorded");
    tokio::time::sleep(SETTLED).await;
    assert_eq!(harness.counter.of_work(), counts(&[]));
    let sessions = harness.memcacheds.get("sessions").await.expect("there");
    assert_eq!(sessions.labels()["cache.example.com/bucket"], bucket.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_takeover_and_a_resync_of_what_is_as_it_should_be_cost_lists_and_nothing_else() {
    let names: Vec<_> = (0..RESOURCES).map(|number| format!("cache-{number}")).collect();
    let harness = Harness::new().await;
    let first = harness.settle(&names).await;
    first.stop().await;
    harness.counter.reset();
    let _second = harness.start("op-1");
    // The default resync is after ten minutes.
    tokio::time::sleep(Duration::from_mins(25)).await;
    assert_eq!(harness.counter.count("list services"), 1, "the second replica has taken over");
    assert_eq!(harness.counter.of_work(), counts(&[]));
}

#[tokio::test(start_paused = true)]
async fn an_edit_that_one_child_shows_costs_one_apply_and_one_status_write() {
    let harness = Harness::new().await;
    let _replica = harness.settle(&["sessions"]).await;
    let edit = Patch::Merge(json!({"spec": {"maxConnections": 2048}}));
    harness.memcacheds.patch("sessions", &PatchParams::default(), &edit).await.expect("edited");
    // Sooner than anybody looks why the servers are not ready.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let expected = [
        ("create events.events.k8s.io", 1),
        ("patch memcacheds/status.cache.example.com", 1),
        ("patch statefulsets.apps", 1),
    ];
    assert_eq!(harness.counter.of_work(), counts(&expected));
}

/// The watch that shows the drift is enough; who else writes the field is asked once.
#[tokio::test(start_paused = true)]
async fn drift_is_mended_on_the_event_that_shows_it() {
    let harness = Harness::new().await;
    let _replica = harness.settle(&["sessions"]).await;
    let edit = Patch::Merge(json!({"metadata": {"labels": {"app.kubernetes.io/name": "edited"}}}));
    let services: Api<Service> = harness.api();
    services.patch("sessions", &PatchParams::default(), &edit).await.expect("edited");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let expected = [("create events.events.k8s.io", 1), ("get services", 1), ("patch services", 1)];
    assert_eq!(harness.counter.of_work(), counts(&expected));
    assert_eq!(
        services.get("sessions").await.expect("there").labels()["app.kubernetes.io/name"],
        "memcached"
    );
}

/// Such a child is in no watch. Creating it meets what is there, which is read and labelled again.
#[tokio::test(start_paused = true)]
async fn a_child_that_lost_its_bucket_label_is_labelled_again() {
    let harness = Harness::new().await;
    let _replica = harness.settle(&["sessions"]).await;
    let strip = Patch::Merge(json!({"metadata": {"labels": {"cache.example.com/bucket": null}}}));
    let budgets: Api<PodDisruptionBudget> = harness.api();
    budgets.patch("sessions", &PatchParams::default(), &strip).await.expect("stripped");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let expected = [
        ("create events.events.k8s.io", 1),
        ("get poddisruptionbudgets.policy", 1),
        ("patch poddisruptionbudgets.policy", 2),
    ];
    assert_eq!(harness.counter.of_work(), counts(&expected));
    let budget = budgets.get("sessions").await.expect("there");
    assert!(budget.labels().contains_key("cache.example.com/bucket"));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_was_deleted_is_made_again_with_one_write() {
    let harness = Harness::new().await;
    let _replica = harness.settle(&["sessions"]).await;
    let services: Api<Service> = harness.api();
    services.delete("sessions", &DeleteParams::default()).await.expect("deleted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let expected = [("create events.events.k8s.io", 1), ("patch services", 1)];
    assert_eq!(harness.counter.of_work(), counts(&expected));
    services.get("sessions").await.expect("there again");
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(request, count)| ((*request).to_owned(), *count)).collect()
}
