//! Who else is there: the users of the operator, people with kubectl, and a stand-in for what makes servers ready.

use std::collections::BTreeMap;
use std::time::Duration;

use embedded_apiserver::{Reply, Watch};
use http::Method;
use memcached_operator::crd::DOMAIN;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ServerEvent, World, definition};
use crate::network::between;
use crate::observations::{DesiredProfile, DesiredSpec};
use crate::schedule::{EditKind, Oddity, ResourceIndex, Schedule, Span};
use crate::seed::stream;
use crate::time::TrueTime;
use crate::world::names::{NAMESPACE, TENANT};

/// How long it takes until servers are ready.
const READY_AFTER: Span = Span { min: Duration::from_millis(50), max: Duration::from_millis(1500) };

const TENANTS: usize = 5;

/// The type of a condition that somebody writes by hand.
const ODD_CONDITION: &str = "Approved";

/// A finalizer of a tenant.
const KEEP: &str = "tenant.example.com/keep";

pub(super) struct Actors {
    rng: fastrand::Rng,
    desired: BTreeMap<String, DesiredSpec>,
    pub(super) profiles: BTreeMap<String, DesiredProfile>,
    /// The stand-in's watch of all StatefulSets.
    workloads: Option<Watch>,
}

impl Actors {
    pub(super) fn new(schedule: &Schedule) -> Self {
        Self {
            rng: stream(schedule.seed, "players"),
            desired: BTreeMap::new(),
            profiles: BTreeMap::new(),
            workloads: None,
        }
    }

    pub(super) fn desired(&self) -> BTreeMap<String, DesiredSpec> {
        self.desired.clone()
    }

    /// What was asked for when the backup was taken is asked for again. Whoever moved a tenant meanwhile will find him back.
    pub(super) fn restore(
        &mut self,
        desired: BTreeMap<String, DesiredSpec>,
        profiles: BTreeMap<String, DesiredProfile>,
    ) {
        (self.desired, self.profiles) = (desired, profiles);
    }
}

/// What a user reads of the answer to a creation.
#[derive(Deserialize)]
struct Created {
    metadata: Identity,
}

#[derive(Deserialize)]
struct Identity {
    uid: String,
}

fn memcacheds() -> String {
    format!("/apis/{DOMAIN}/v1alpha1/namespaces/{NAMESPACE}/memcacheds")
}

fn stateful_sets() -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/statefulsets")
}

pub(super) fn resource_name(resource: ResourceIndex) -> String {
    format!("cache-{}", resource.0)
}

impl World {
    /// What is there before the first replica: the definition, the first resources, the stand-in's watch.
    pub(super) fn install(&mut self) {
        let definition = definition::of(&self.schedule);
        let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let accepted = self.api.ask(self.now, Method::POST, definitions, Some(&definition));
        assert!(accepted.is_some(), "the API server refuses the definition of Memcached");
        self.watch_workloads();
        for resource in 0..self.schedule.resources {
            self.create(ResourceIndex(resource), None);
        }
        self.install_profiles();
        self.install_wanted_shards();
    }

    /// The stand-in's watch begins, with what there is.
    pub(super) fn watch_workloads(&mut self) {
        let watch = http::Request::get(format!("{}?watch=1", stateful_sets())).body(bytes::Bytes::new());
        if let Reply::Watch(watch) = self.api.handle(self.now, &watch.expect("a plain request")) {
            self.actors.workloads = Some(watch);
        }
    }

    pub(super) fn edit(&mut self, number: usize) {
        let edit = self.schedule.edits[number].clone();
        self.run_log.trace.line(self.now, format_args!("edit {:?} {:?}", edit.resource, edit.what));
        let name = resource_name(edit.resource);
        let uri = format!("{}/{name}", memcacheds());
        match edit.what {
            EditKind::Create => self.create(edit.resource, None),
            EditKind::CreateFor(tenant) => self.create(edit.resource, Some(tenant)),
            EditKind::Scale(replicas) => {
                if let Some(wish) = self.actors.desired.get_mut(&name) {
                    wish.replicas = replicas;
                    self.by_hand(Method::PATCH, &uri, Some(&json!({"spec": {"replicas": replicas}})));
                }
            }
            EditKind::Memory(memory) => {
                if let Some(wish) = self.actors.desired.get_mut(&name) {
                    wish.memory = memory;
                    let patch = json!({"spec": {"memoryLimitMegabytes": memory}});
                    self.by_hand(Method::PATCH, &uri, Some(&patch));
                }
            }
            EditKind::MoveTenant(tenant) => {
                if let Some(wish) = self.actors.desired.get_mut(&name) {
                    let tenant = format!("tenant-{tenant}");
                    if self.schedule.key_label {
                        wish.keys.push(tenant.clone());
                    }
                    let patch = json!({"metadata": {"labels": {TENANT: tenant}}});
                    self.by_hand(Method::PATCH, &uri, Some(&patch));
                }
            }
            EditKind::Delete => self.delete(&name),
            EditKind::Profile(what) => self.edit_profile(edit.resource, what),
        }
    }

    pub(super) fn forge_label(&mut self, resource: ResourceIndex, forged: Option<u8>) {
        let name = resource_name(resource);
        if self.actors.desired.contains_key(&name) {
            let bucket = forged.map(|bucket| bucket.to_string());
            let patch = json!({"metadata": {"labels": {format!("{DOMAIN}/bucket"): bucket}}});
            self.by_hand(Method::PATCH, &format!("{}/{name}", memcacheds()), Some(&patch));
        }
    }

    /// A tenant who may edit his resources puts something odd into one.
    pub(super) fn make_undecodable(&mut self, resource: ResourceIndex, what: Oddity) {
        let patch = match what {
            Oddity::BucketLabel => json!({"metadata": {"labels": {format!("{DOMAIN}/bucket"): "0256"}}}),
            Oddity::Spec => json!({"spec": {"extraArgs": ["--por=1"]}}),
            Oddity::Finalizer => {
                let Some(mut finalizers) = self.finalizers_of_others(resource) else { return };
                if self.is_being_deleted(resource) {
                    return;
                }
                finalizers.push(json!(KEEP));
                json!({"metadata": {"finalizers": finalizers}})
            }
            Oddity::Bulk => {
                json!({"metadata": {"annotations": {"tenant.example.com/bulk": "x".repeat(200_000)}}})
            }
            Oddity::Undecodable => return self.write_odd_condition(resource, true),
        };
        self.patch_as_tenant(resource, &patch);
    }

    /// And takes it back. The label is for the operator to mend.
    pub(super) fn make_decodable(&mut self, resource: ResourceIndex, what: Oddity) {
        let patch = match what {
            Oddity::BucketLabel => return,
            Oddity::Spec => json!({"spec": {"extraArgs": null}}),
            // Also of a resource that is being deleted, and wished for no more.
            Oddity::Finalizer => {
                let Some(finalizers) = self.finalizers_of_others(resource) else { return };
                json!({"metadata": {"finalizers": finalizers}})
            }
            Oddity::Bulk => json!({"metadata": {"annotations": {"tenant.example.com/bulk": null}}}),
            // Also of a resource that is being deleted, and wished for no more.
            Oddity::Undecodable => return self.write_odd_condition(resource, false),
        };
        self.patch_as_tenant(resource, &patch);
    }

    /// Writes a condition whose time has an offset that there is none of, or takes it out again; the other conditions stay.
    fn write_odd_condition(&mut self, resource: ResourceIndex, there: bool) {
        let name = resource_name(resource);
        let Some(object) = self.api.look().peek(DOMAIN, "memcacheds", NAMESPACE, &name) else { return };
        let mut conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.retain(|condition| condition["type"] != ODD_CONDITION);
        if there {
            conditions.push(json!({
                "type": ODD_CONDITION, "status": "True", "reason": "ByHand", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00+99:99",
            }));
        }
        let status = json!({"status": {"conditions": conditions}});
        self.by_hand(Method::PATCH, &format!("{}/{name}/status", memcacheds()), Some(&status));
    }

    /// The API server takes no new finalizer then.
    fn is_being_deleted(&self, resource: ResourceIndex) -> bool {
        let object = self.api.look().peek(DOMAIN, "memcacheds", NAMESPACE, &resource_name(resource));
        object.is_some_and(|object| !object["metadata"]["deletionTimestamp"].is_null())
    }

    /// All but the tenant's own: to strip the operator's is what an admission rule has to refuse him.
    fn finalizers_of_others(&self, resource: ResourceIndex) -> Option<Vec<Value>> {
        let object = self.api.look().peek(DOMAIN, "memcacheds", NAMESPACE, &resource_name(resource))?;
        let all = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        Some(all.into_iter().filter(|one| one != KEEP).collect())
    }

    fn patch_as_tenant(&mut self, resource: ResourceIndex, patch: &Value) {
        let uri = format!("{}/{}", memcacheds(), resource_name(resource));
        self.by_hand(Method::PATCH, &uri, Some(patch));
    }

    /// A request of somebody with kubectl, who is beside the server.
    pub(super) fn by_hand(&mut self, method: Method, uri: &str, body: Option<&Value>) {
        if self.api.ask(self.now, method, uri, body).is_some() {
            self.note_leases(self.now, self.now, None, uri);
            self.show_changes(self.now);
        }
    }

    /// A user deletes what he wished for.
    pub(super) fn delete(&mut self, name: &str) {
        if self.actors.desired.remove(name).is_some() {
            self.by_hand(Method::DELETE, &format!("{}/{name}", memcacheds()), None);
        }
    }

    pub(super) fn create(&mut self, resource: ResourceIndex, tenant: Option<u8>) {
        let name = resource_name(resource);
        if self.actors.desired.contains_key(&name) {
            return;
        }
        let tenant = tenant.map_or(resource.0 % TENANTS, usize::from);
        let tenant = format!("tenant-{tenant}");
        let (replicas, memory) = (1 + i32::try_from(resource.0 % 3).unwrap_or_default(), 64);
        let object = json!({
            "apiVersion": format!("{DOMAIN}/v1alpha1"), "kind": "Memcached",
            "metadata": {"name": name, "labels": {TENANT: tenant}},
            "spec": {"replicas": replicas, "memoryLimitMegabytes": memory},
        });
        // Refused if a namesake is still being deleted; the user does not come back.
        if let Some(created) = self.api.ask(self.now, Method::POST, &memcacheds(), Some(&object)) {
            let created: Created =
                serde_json::from_slice(&created).expect("the server answers with the object");
            let uid = created.metadata.uid;
            let key = if self.schedule.key_label { tenant } else { format!("{NAMESPACE}/{name}") };
            let wish = DesiredSpec { uid, replicas, memory, keys: vec![key], created: self.now };
            self.actors.desired.insert(name, wish);
            self.show_changes(self.now);
        }
    }

    /// The stand-in sees StatefulSets, and sets out to make their servers ready.
    pub(super) fn update_workloads(&mut self, at: TrueTime) {
        let Some(watch) = &mut self.actors.workloads else { return };
        let mut unready = Vec::new();
        self.api.look().visit_events(watch, |what, set| {
            let (metadata, status) = (&set["metadata"], &set["status"]);
            if what != "DELETED" && status["observedGeneration"] != metadata["generation"] {
                unready.extend(metadata["name"].as_str().map(str::to_owned));
            }
        });
        for name in unready {
            let delay = between(&mut self.actors.rng, READY_AFTER);
            self.serve_at(at + delay, ServerEvent::Ready(name));
        }
    }

    /// Their servers are ready.
    pub(super) fn make_ready(&mut self, at: TrueTime, name: &str) {
        let uri = format!("{}/{name}", stateful_sets());
        let Some(set) = self.api.look().peek("apps", "statefulsets", NAMESPACE, name) else { return };
        let (metadata, replicas) = (&set["metadata"], &set["spec"]["replicas"]);
        if !metadata["deletionTimestamp"].is_null() {
            return;
        }
        let revision = format!("{name}-{}", metadata["generation"]);
        let status = json!({"metadata": {"uid": metadata["uid"]}, "status": {
            "replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
            "currentReplicas": replicas, "updatedReplicas": replicas, "observedGeneration": metadata["generation"],
            "currentRevision": revision, "updateRevision": revision, "collisionCount": 0,
        }});
        self.api.ask(at, Method::PATCH, &format!("{uri}/status"), Some(&status));
        self.show_changes(at);
    }
}
