//! Those who create, edit and delete resources, and now and then do what they should not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use memcached_operator::crd::{Memcached, MemcachedSpec};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::desired::{DesiredState, ExpectedResource};
use crate::harness::Harness;

const BUCKET: &str = "cache.example.com/bucket";
/// From one act to the next.
const PACE: Duration = Duration::from_millis(120);
/// A restart of the API server is over by then, on a slow machine too.
const LONGEST_WAIT: Duration = Duration::from_secs(90);

/// All users as one, who does one thing after the other.
pub(crate) struct Users {
    resources: Api<Memcached>,
    sets: Api<StatefulSet>,
    rng: fastrand::Rng,
    pub(crate) desired: DesiredState,
    /// How often each thing was done.
    pub(crate) done: BTreeMap<&'static str, u32>,
}

impl Users {
    pub(crate) fn new(harness: &Harness, seed: u64) -> Self {
        Self {
            resources: Api::namespaced(harness.client.clone(), harness.namespace),
            sets: Api::namespaced(harness.client.clone(), harness.namespace),
            // Another sequence than the schedule's.
            rng: fastrand::Rng::with_seed(!seed),
            desired: DesiredState::new(harness.namespace),
            done: BTreeMap::new(),
        }
    }

    /// Creates the resources that there are at the beginning.
    pub(crate) async fn create(&mut self, count: u32) {
        const AT_ONCE: usize = 8;
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut creations = JoinSet::new();
        for number in 0..count {
            let (resources, turns) = (self.resources.clone(), turns.clone());
            let (name, replicas) = (format!("cache-{number:04}"), self.rng.i32(1..=5));
            creations.spawn(async move {
                let _turn = turns.acquire().await.expect("nobody closes it");
                let expected = create(&resources, &name, replicas).await;
                (name, expected)
            });
        }
        for (name, expected) in creations.join_all().await {
            self.desired.created(&name, expected);
        }
    }

    /// Does one thing after the other for as long as this.
    pub(crate) async fn keep_busy(&mut self, during: Duration) {
        let started = Instant::now();
        while started.elapsed() < during {
            self.act().await;
            tokio::time::sleep(PACE).await;
        }
    }

    async fn act(&mut self) {
        let names: Vec<String> = self.desired.existing.keys().cloned().collect();
        let name = names[self.rng.usize(..names.len())].clone();
        let what = match self.rng.u32(0..100) {
            0..30 => self.scale(&name).await,
            30..48 => self.resize(&name).await,
            48..56 => self.delete(&name).await,
            56..68 => {
                self.delete(&name).await;
                self.recreate(&name).await;
                "deleted and made anew at once"
            }
            68..76 => self.recreate_one().await,
            76..84 => self.label(&name, Value::Null, "bucket label stripped").await,
            84..92 => {
                let bucket = self.rng.u8(..).to_string();
                self.label(&name, json!(bucket), "bucket label edited").await
            }
            _ => self.edit_child(&name).await,
        };
        *self.done.entry(what).or_default() += 1;
    }

    async fn scale(&mut self, name: &str) -> &'static str {
        let replicas = self.rng.i32(0..=7);
        self.edit(name, json!({"spec": {"replicas": replicas}})).await;
        self.desired.existing.entry(name.to_owned()).and_modify(|expected| expected.replicas = replicas);
        "scaled"
    }

    async fn resize(&mut self, name: &str) -> &'static str {
        let memory = self.rng.i32(16..=256);
        self.edit(name, json!({"spec": {"memoryLimitMegabytes": memory}})).await;
        self.desired.existing.entry(name.to_owned()).and_modify(|expected| expected.memory = memory);
        "given other memory"
    }

    async fn label(&mut self, name: &str, bucket: Value, what: &'static str) -> &'static str {
        self.edit(name, json!({"metadata": {"labels": {BUCKET: bucket}}})).await;
        what
    }

    async fn edit(&self, name: &str, patch: Value) {
        let params = PatchParams::default();
        let patch = Patch::Merge(&patch);
        retry_until_done("edit", || self.resources.patch(name, &params, &patch)).await;
    }

    async fn delete(&mut self, name: &str) -> &'static str {
        self.desired.deleting(name);
        let params = DeleteParams::default();
        retry_until_done("delete", || async {
            match self.resources.delete(name, &params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(drop),
            }
        })
        .await;
        "deleted"
    }

    async fn recreate_one(&mut self) -> &'static str {
        match self.desired.deleted.len() {
            0 => "nothing to make anew",
            count => {
                let name = self.desired.deleted[self.rng.usize(..count)].clone();
                self.recreate(&name).await;
                "made anew later"
            }
        }
    }

    async fn recreate(&mut self, name: &str) {
        let expected = create(&self.resources, name, self.rng.i32(1..=5)).await;
        self.desired.created(name, expected);
    }

    /// Edits a child, which is the operator's.
    async fn edit_child(&mut self, name: &str) -> &'static str {
        let patch = json!({"spec": {"replicas": self.rng.i32(8..=20)}});
        let params = PatchParams::default();
        retry_until_done("edit a child", || async {
            match self.sets.patch(name, &params, &Patch::Merge(&patch)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(drop),
            }
        })
        .await;
        "child edited"
    }
}

async fn create(resources: &Api<Memcached>, name: &str, replicas: i32) -> ExpectedResource {
    let spec: MemcachedSpec = serde_json::from_value(json!({"replicas": replicas})).expect("a valid spec");
    let memory = spec.memory_limit_megabytes;
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let resource = Memcached { metadata, spec, status: None };
    let params = PostParams::default();
    let created = retry_until_done("create", || async {
        match resources.create(&params, &resource).await {
            // An earlier attempt whose answer was lost has succeeded.
            Err(kube::Error::Api(status)) if status.code == 409 => resources.get(name).await,
            other => other,
        }
    })
    .await;
    ExpectedResource { uid: created.uid().expect("the API server gives a uid"), replicas, memory }
}

/// Tries until it works: users of an API server that restarts do.
async fn retry_until_done<T, F: Future<Output = kube::Result<T>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    kube_testkit::eventually(&format!("the API server to let users {what}"), LONGEST_WAIT, || {
        let attempt = attempt();
        async {
            match attempt.await {
                Ok(answer) => Some(answer),
                // A mistake of the test, which no second attempt mends.
                Err(kube::Error::Api(status)) if [400, 403, 404, 422].contains(&status.code) => {
                    panic!("users cannot {what}: {status}")
                }
                Err(_) => None,
            }
        }
    })
    .await
}
