//! An API server in memory, and replicas of the operator on it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use embedded_apiserver::EmbeddedServer;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, CustomResourceExt, ResourceExt};
use lease_core::{Clock, ElectionsOptions, Identity, LeaderElectionId, LeaseRuntime};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::{MemcachedReconciler, operator};
use serde_json::json;
use shard_router::{Options, ShardCount};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Paused;
use crate::count::Counter;

/// By then nothing is left to do.
pub(crate) const SETTLED: Duration = Duration::from_mins(2);

pub(crate) struct Harness {
    pub(crate) counter: Counter,
    admin: Client,
    pub(crate) memcacheds: Api<Memcached>,
}

pub(crate) struct Replica {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Replica {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.expect("it ends by itself");
    }
}

impl Harness {
    pub(crate) async fn new() -> Self {
        let server = EmbeddedServer::new(Paused::new());
        let admin = server.client("default");
        Api::all(admin.clone()).create(&PostParams::default(), &Memcached::crd()).await.expect("defined");
        let counter = Counter::before(server.service());
        Self { counter, memcacheds: Api::namespaced(admin.clone(), "default"), admin }
    }

    /// Starts a replica and creates these resources; once they are rolled out and nothing is left to do, counts requests from there.
    pub(crate) async fn settle(&self, resources: &[impl AsRef<str>]) -> Replica {
        let replica = self.start("op-0");
        for name in resources {
            self.create(name.as_ref()).await;
        }
        tokio::time::sleep(SETTLED).await;
        self.roll_out().await;
        tokio::time::sleep(SETTLED).await;
        self.counter.reset();
        replica
    }

    pub(crate) fn start(&self, pod: &str) -> Replica {
        self.start_with(pod, ShardCount::ONE, |reconciler| reconciler)
    }

    /// A replica with so many shards, whose reconciler has been changed.
    pub(crate) fn start_with(
        &self,
        pod: &str,
        shards: ShardCount,
        change: impl FnOnce(MemcachedReconciler) -> MemcachedReconciler,
    ) -> Replica {
        let clock: Arc<dyn Clock> = Arc::new(Paused::new());
        let id = LeaderElectionId::new("memcached-operator").expect("an ID");
        let mut elections =
            ElectionsOptions::new(id, "default", Identity::of_pod(pod, "1").expect("an identity"));
        elections.clock = clock.clone();
        elections.runtime = LeaseRuntime::Current;
        elections.seed = 1;
        let mut options = Options::for_crd::<Memcached>(elections).with_shards(shards);
        options.seed = 1;
        let reconciler = change(MemcachedReconciler::new(pod).with_clock(clock));
        let replica = operator(Client::new(self.counter.clone(), "default"), options, reconciler);
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let running = tokio::spawn(async move { replica.run(stopped).await.expect("it runs") });
        Replica { stop, running }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.admin.clone(), "default")
    }

    pub(crate) async fn create(&self, name: &str) {
        let memcached = json!({
            "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "metadata": {"name": name},
            // Each in a spelling that the API server does not keep.
            "spec": {"resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": "0.5"}}},
        });
        let memcached = serde_json::from_value(memcached).expect("a Memcached");
        self.memcacheds.create(&PostParams::default(), &memcached).await.expect("created");
    }

    /// Waits until each of so many resources has this.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) async fn until_each<T>(&self, count: usize, has: impl Fn(&Memcached) -> Option<T>) {
        let watch = watcher(self.memcacheds.clone(), watcher::Config::default()).applied_objects();
        let mut watch = std::pin::pin!(watch);
        let mut left = BTreeSet::new();
        let all = async {
            while left.len() < count {
                let memcached = watch.next().await.expect("it goes on").expect("watched");
                if has(&memcached).is_some() {
                    left.insert(memcached.name_any());
                }
            }
        };
        tokio::time::timeout(Duration::from_mins(10), all)
            .await
            .unwrap_or_else(|_| panic!("waited for {count} resources"));
    }

    /// All servers become ready, as the StatefulSet controller would tell it.
    pub(crate) async fn roll_out(&self) {
        let sets: Api<StatefulSet> = self.api();
        for set in sets.list(&ListParams::default()).await.expect("listed") {
            let replicas = set.spec.as_ref().and_then(|spec| spec.replicas);
            let status = Patch::Merge(json!({"status": {
                "observedGeneration": set.metadata.generation, "replicas": replicas, "readyReplicas": replicas,
                "availableReplicas": replicas, "updatedReplicas": replicas, "currentReplicas": replicas,
                "currentRevision": "one", "updateRevision": "one",
            }}));
            sets.patch_status(&set.name_any(), &PatchParams::default(), &status).await.expect("told");
        }
    }
}
