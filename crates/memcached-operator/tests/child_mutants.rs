//! Faults switched on one at a time, for the whole process, to prove that what the preconditions of children, and the pauses between
//! their mendings, prevent would be seen.
//!
//! On the embedded API server: that it compares uids and resourceVersions as the real one does is up to the conformance suite. The
//! scenarios are those of `real/races.rs` and `real/dispute.rs`, in which nothing is broken.

use std::sync::Arc;

use std::time::Duration;

use embedded_apiserver::{EmbeddedServer, WallSeams};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use lease_core::{Clock, Now, SystemClock};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::apply::{Applied, apply};
use memcached_operator::reconcile::build::{Children, build};
use memcached_operator::reconcile::fetch::{self, Observed};
use memcached_operator::reconcile::validate::validate;
use memcached_operator::reconcile::{MemcachedReconciler, ReconcileError, applier};
use serde_json::{Value, json};
use shard_router::mutants::{Mutant, activate};
use tokio::sync::Mutex;

/// One mutant at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// A server, and a resource on it that nothing was reconciled of.
struct Harness {
    client: Client,
    memcached: Memcached,
    services: Api<Service>,
}

impl Harness {
    async fn new() -> Self {
        let client = EmbeddedServer::new(WallSeams::new(7)).client("default");
        let params = PostParams::default();
        Api::all(client.clone()).create(&params, &Memcached::crd()).await.expect("defined");
        let memcached: Memcached = from(json!({
            "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "metadata": {"name": "cache"}, "spec": {},
        }));
        let memcached = Api::default_namespaced(client.clone()).create(&params, &memcached).await;
        let services = Api::default_namespaced(client.clone());
        Self { memcached: memcached.expect("created"), client, services }
    }

    fn children(&self) -> Children {
        let bucket = ("cache.example.com/bucket".to_owned(), "17".to_owned());
        build(&validate(&self.memcached).expect("valid"), Some(&bucket))
    }

    async fn seen(&self) -> Observed {
        fetch::children(&self.client, &self.memcached, &applier()).await.expect("ours, or not there")
    }

    async fn apply(&self, seen: &Observed) -> Result<Applied, ReconcileError> {
        apply(&self.client, &self.memcached, self.children(), seen, &applier()).await
    }

    async fn service(&self) -> Service {
        self.services.get("cache").await.expect("there")
    }

    /// A stranger makes a Service of the child's name.
    async fn stranger(&self) -> Service {
        let foreign: Service = from(json!({
            "metadata": {"name": "cache", "labels": {"app": "another"}},
            "spec": {"clusterIP": "None", "selector": {"app": "another"}, "ports": [{"port": 1}]},
        }));
        self.services.create(&PostParams::default(), &foreign).await.expect("nobody was quicker")
    }
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object of this kind")
}

/// Whether a Service that somebody makes between the read and the first apply is taken over.
async fn a_stranger_is_taken_over() -> bool {
    let harness = Harness::new().await;
    let seen = harness.seen().await;
    let strange = harness.stranger().await;
    let applied = harness.apply(&seen).await;
    let rewritten = harness.service().await.resource_version() != strange.resource_version();
    assert_eq!(applied.is_err(), !rewritten, "{applied:?}");
    rewritten
}

/// Whether a Service that replaced the child after it was read is taken over.
async fn a_successor_of_the_child_is_taken_over() -> bool {
    let harness = Harness::new().await;
    harness.apply(&harness.seen().await).await.expect("applied");
    // So that there is something to write.
    let edit = json!({"metadata": {"labels": {"app.kubernetes.io/name": "edited"}}});
    harness.services.patch("cache", &PatchParams::default(), &Patch::Merge(&edit)).await.expect("edited");
    let seen = harness.seen().await;
    harness.services.delete("cache", &DeleteParams::default()).await.expect("deleted");
    let strange = harness.stranger().await;
    let applied = harness.apply(&seen).await;
    let rewritten = harness.service().await.resource_version() != strange.resource_version();
    assert_eq!(applied.is_err(), !rewritten, "{applied:?}");
    rewritten
}

/// Switches a mutant on, and says whether each of the two is taken over: the stranger, and the successor of the child.
async fn taken_over(mutant: Option<Mutant>) -> [bool; 2] {
    let _turn = TURN.lock().await;
    activate(mutant);
    let found = [
        Box::pin(a_stranger_is_taken_over()).await,
        Box::pin(a_successor_of_the_child_is_taken_over()).await,
    ];
    activate(None);
    found
}

#[tokio::test]
async fn with_nothing_broken_nothing_is_taken_over() {
    assert_eq!(Box::pin(taken_over(None)).await, [false, false]);
}

#[tokio::test]
async fn a_create_that_overwrites_is_found_out() {
    assert_eq!(Box::pin(taken_over(Some(Mutant::CreateOverwrites))).await, [true, false]);
}

#[tokio::test]
async fn a_write_without_preconditions_is_found_out() {
    assert_eq!(Box::pin(taken_over(Some(Mutant::ChildWithoutPrecondition))).await, [false, true]);
}

/// How often a child is restored that somebody changes, and one that somebody deletes, 20 times each and faster than the first pause
/// is long.
async fn restored(mutant: Option<Mutant>) -> [usize; 2] {
    let _turn = TURN.lock().await;
    activate(mutant);
    let found = [Box::pin(restored_after(false)).await, Box::pin(restored_after(true)).await];
    activate(None);
    found
}

async fn restored_after(deletion: bool) -> usize {
    const ROUNDS: usize = 20;
    let harness = Harness::new().await;
    // The clock stands still, so that no pause is ever over.
    let reconciler = MemcachedReconciler::new("tests_1").with_clock(Arc::new(Still));
    harness.reconcile(&reconciler).await;
    let mut restored = 0;
    for _ in 0..ROUNDS {
        if deletion {
            let _ = harness.services.delete("cache", &DeleteParams::default()).await;
        } else {
            let edit = json!({"metadata": {"labels": {"app.kubernetes.io/name": "another"}}});
            let params = PatchParams::default();
            harness.services.patch("cache", &params, &Patch::Merge(&edit)).await.expect("edited");
        }
        harness.reconcile(&reconciler).await;
        let there = harness.services.get_opt("cache").await.expect("asked");
        restored += usize::from(there.is_some_and(|it| it.labels()["app.kubernetes.io/name"] == "memcached"));
    }
    restored
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Now {
        Now::default()
    }

    fn wall(&self) -> Timestamp {
        SystemClock.wall()
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(span)
    }
}

impl Harness {
    async fn reconcile(&self, reconciler: &MemcachedReconciler) {
        let seen = Api::default_namespaced(self.client.clone()).get("cache").await.expect("there");
        let bucket = ("cache.example.com/bucket".to_owned(), "17".to_owned());
        let children = fetch::children(&self.client, &seen, reconciler.applier()).await;
        Box::pin(reconciler.run(&seen, children, &self.client, Some(&bucket), 0)).await.expect("reconciled");
    }
}

#[tokio::test]
async fn with_nothing_broken_only_the_first_mending_is_immediate() {
    assert_eq!(Box::pin(restored(None)).await, [1, 1]);
}

#[tokio::test]
async fn mending_at_once_each_time_is_found_out() {
    assert_eq!(Box::pin(restored(Some(Mutant::MendsAtOnce))).await, [20, 20]);
}
