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

use crate::stage::Stage;
use crate::wishes::{Wish, Wishes};

const BUCKET: &str = "cache.example.com/bucket";
/// From one act to the next.
const PACE: Duration = Duration::from_millis(120);
/// A restart of the API server is over by then, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(90);

/// All users as one, who does one thing after the other.
pub(crate) struct Users {
    resources: Api<Memcached>,
    sets: Api<StatefulSet>,
    dice: fastrand::Rng,
    pub(crate) wishes: Wishes,
    /// How often each thing was done.
    pub(crate) done: BTreeMap<&'static str, u32>,
}

impl Users {
    pub(crate) fn new(stage: &Stage, seed: u64) -> Self {
        Self {
            resources: Api::namespaced(stage.client.clone(), stage.namespace),
            sets: Api::namespaced(stage.client.clone(), stage.namespace),
            // Another sequence than the script's.
            dice: fastrand::Rng::with_seed(!seed),
            wishes: Wishes::new(stage.namespace),
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
            let (name, replicas) = (format!("cache-{number:04}"), self.dice.i32(1..=5));
            creations.spawn(async move {
                let _turn = turns.acquire().await.expect("nobody closes it");
                let wish = create(&resources, &name, replicas).await;
                (name, wish)
            });
        }
        for (name, wish) in creations.join_all().await {
            self.wishes.created(&name, wish);
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
        let names: Vec<String> = self.wishes.standing.keys().cloned().collect();
        let name = names[self.dice.usize(..names.len())].clone();
        let what = match self.dice.u32(0..100) {
            0..30 => self.scale(&name).await,
            30..48 => self.resize(&name).await,
            48..56 => self.delete(&name).await,
            56..68 => {
                self.delete(&name).await;
                self.make_anew(&name).await;
                "deleted and made anew at once"
            }
            68..76 => self.make_one_anew().await,
            76..84 => self.label(&name, Value::Null, "bucket label stripped").await,
            84..92 => {
                let bucket = self.dice.u8(..).to_string();
                self.label(&name, json!(bucket), "bucket label edited").await
            }
            _ => self.meddle(&name).await,
        };
        *self.done.entry(what).or_default() += 1;
    }

    async fn scale(&mut self, name: &str) -> &'static str {
        let replicas = self.dice.i32(0..=7);
        self.edit(name, json!({"spec": {"replicas": replicas}})).await;
        self.wishes.standing.entry(name.to_owned()).and_modify(|wish| wish.replicas = replicas);
        "scaled"
    }

    async fn resize(&mut self, name: &str) -> &'static str {
        let memory = self.dice.i32(16..=256);
        self.edit(name, json!({"spec": {"memoryLimitMegabytes": memory}})).await;
        self.wishes.standing.entry(name.to_owned()).and_modify(|wish| wish.memory = memory);
        "given other memory"
    }

    async fn label(&mut self, name: &str, bucket: Value, what: &'static str) -> &'static str {
        self.edit(name, json!({"metadata": {"labels": {BUCKET: bucket}}})).await;
        what
    }

    async fn edit(&self, name: &str, patch: Value) {
        let params = PatchParams::default();
        let patch = Patch::Merge(&patch);
        insist("edit", || self.resources.patch(name, &params, &patch)).await;
    }

    async fn delete(&mut self, name: &str) -> &'static str {
        self.wishes.deleting(name);
        let params = DeleteParams::default();
        insist("delete", || async {
            match self.resources.delete(name, &params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(drop),
            }
        })
        .await;
        "deleted"
    }

    async fn make_one_anew(&mut self) -> &'static str {
        match self.wishes.gone.len() {
            0 => "nothing to make anew",
            count => {
                let name = self.wishes.gone[self.dice.usize(..count)].clone();
                self.make_anew(&name).await;
                "made anew later"
            }
        }
    }

    async fn make_anew(&mut self, name: &str) {
        let wish = create(&self.resources, name, self.dice.i32(1..=5)).await;
        self.wishes.created(name, wish);
    }

    /// Edits a child, which is the operator's.
    async fn meddle(&mut self, name: &str) -> &'static str {
        let patch = json!({"spec": {"replicas": self.dice.i32(8..=20)}});
        let params = PatchParams::default();
        insist("edit a child", || async {
            match self.sets.patch(name, &params, &Patch::Merge(&patch)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(drop),
            }
        })
        .await;
        "child edited"
    }
}

async fn create(resources: &Api<Memcached>, name: &str, replicas: i32) -> Wish {
    let spec: MemcachedSpec = serde_json::from_value(json!({"replicas": replicas})).expect("a valid spec");
    let memory = spec.memory_limit_megabytes;
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let resource = Memcached { metadata, spec, status: None };
    let params = PostParams::default();
    let created = insist("create", || async {
        match resources.create(&params, &resource).await {
            // An earlier attempt whose answer was lost has succeeded.
            Err(kube::Error::Api(status)) if status.code == 409 => resources.get(name).await,
            other => other,
        }
    })
    .await;
    Wish { uid: created.uid().expect("the API server gives a uid"), replicas, memory }
}

/// Tries until it works: users of an API server that restarts do.
async fn insist<T, F: Future<Output = kube::Result<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    kube_testkit::eventually(&format!("the API server to let users {what}"), PATIENCE, || {
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
