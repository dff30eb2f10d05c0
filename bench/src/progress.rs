//! How far an operator has come, by what the resources say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use parking_lot::Mutex;
use tokio::task::JoinHandle;

/// Watches the resources of a namespace for as long as it lives.
pub(crate) struct Progress {
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    task: JoinHandle<()>,
}

/// What a resource has said so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// The newest generation that was acted on: the status shows it, and where the servers are.
    acted_on: i64,
    /// When it was first seen to be acted on.
    first_acted_on: Option<Instant>,
    /// The newest generation of which all servers were ready.
    ready: i64,
    first_ready: Option<Instant>,
}

/// How far a resource has to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Its status says that its children are as they should be, whether or not servers are ready.
    ActedOn,
    /// Its servers are ready as well.
    Ready,
}

impl Progress {
    pub(crate) fn watch(client: Client, namespace: &str, kind: &ApiResource) -> Self {
        let seen = Arc::new(Mutex::new(HashMap::<String, Seen>::new()));
        let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, kind);
        let noted = seen.clone();
        let task = tokio::spawn(async move {
            let objects = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
            let mut objects = std::pin::pin!(objects);
            while let Some(object) = objects.next().await {
                // One that failed is begun anew.
                if let Ok(object) = object {
                    noted.lock().entry(object.name_any()).or_default().take(&object);
                }
            }
        });
        Self { seen, task }
    }

    /// How many of these, each with the generation that is meant, are not so far yet.
    pub(crate) fn missing(&self, resources: &[(String, i64)], until: Until) -> usize {
        let seen = self.seen.lock();
        let is_there = |(name, generation): &&(String, i64)| {
            seen.get(name).is_some_and(|seen| seen.newest(until) >= *generation)
        };
        resources.len() - resources.iter().filter(is_there).count()
    }

    /// When the last of these was first seen to be so far.
    pub(crate) fn last(&self, resources: &[(String, i64)], until: Until) -> Option<Instant> {
        let seen = self.seen.lock();
        resources.iter().filter_map(|(name, _)| seen.get(name)?.first(until)).max()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Seen {
    fn take(&mut self, object: &DynamicObject) {
        let Some(generation) = acted_on(object) else { return };
        self.acted_on = self.acted_on.max(generation);
        self.first_acted_on.get_or_insert_with(Instant::now);
        if ready_condition(object).is_some_and(|ready| ready.status == "True") {
            self.ready = self.ready.max(generation);
            self.first_ready.get_or_insert_with(Instant::now);
        }
    }

    fn newest(self, until: Until) -> i64 {
        match until {
            Until::ActedOn => self.acted_on,
            Until::Ready => self.ready,
        }
    }

    fn first(self, until: Until) -> Option<Instant> {
        match until {
            Until::ActedOn => self.first_acted_on,
            Until::Ready => self.first_ready,
        }
    }
}

/// The generation, if the status is about it and says how far the servers are. That an operator has begun to look does not count.
fn acted_on(object: &DynamicObject) -> Option<i64> {
    let generation = object.metadata.generation?;
    let is_observed = object.data["status"]["observedGeneration"].as_i64() == Some(generation);
    let ready = ready_condition(object)?;
    (is_observed && ["RollingOut", "RolledOut"].contains(&ready.reason.as_str())).then_some(generation)
}

fn ready_condition(object: &DynamicObject) -> Option<Condition> {
    let conditions = object.data["status"]["conditions"].as_array()?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready")?;
    serde_json::from_value(ready.clone()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn resource(status: &Value) -> DynamicObject {
        let object = json!({
            "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached",
            "metadata": {"name": "a", "generation": 2}, "status": status,
        });
        serde_json::from_value(object).expect("an object")
    }

    fn ready(status: &str, reason: &str) -> Value {
        let condition = json!({
            "type": "Ready", "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        });
        json!([condition])
    }

    #[test]
    fn what_was_only_begun_or_is_about_an_older_generation_was_not_acted_on() {
        let begun = json!({"observedGeneration": 2, "conditions": ready("False", "Reconciling")});
        let older = json!({"observedGeneration": 1, "conditions": ready("True", "RolledOut")});
        let now = json!({"observedGeneration": 2, "conditions": ready("False", "RollingOut")});
        assert_eq!([begun, older, now].map(|status| acted_on(&resource(&status))), [None, None, Some(2)]);
    }

    #[test]
    fn ready_counts_for_the_generation_it_is_about() {
        let mut seen = Seen::default();
        seen.take(&resource(&json!({"observedGeneration": 2, "conditions": ready("False", "RollingOut")})));
        assert_eq!((seen.newest(Until::ActedOn), seen.newest(Until::Ready)), (2, 0));
        seen.take(&resource(&json!({"observedGeneration": 2, "conditions": ready("True", "RolledOut")})));
        assert_eq!(seen.newest(Until::Ready), 2);
    }
}
