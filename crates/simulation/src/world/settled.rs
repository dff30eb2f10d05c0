//! Whether everything is as the users have asked for, and every shard owned.

use std::collections::BTreeMap;

use memcached_operator::crd::DOMAIN;
use serde_json::Value;

use super::World;
use crate::evidence::Wish;
use crate::world::process::{LEADER_ELECTION_ID, NAMESPACE};

impl World {
    /// What is not as asked for, one sentence each.
    pub(super) fn missing(&mut self) -> Vec<String> {
        let objects = self.objects();
        let mut missing = self.unowned(&objects);
        for (name, wish) in self.players.wishes() {
            let resource = objects.get(&format!("memcacheds/{name}"));
            let set = objects.get(&format!("statefulsets/{name}"));
            let complete = ["services", "poddisruptionbudgets"]
                .iter()
                .all(|plural| objects.contains_key(&format!("{plural}/{name}")));
            match (resource, set) {
                (Some(resource), Some(set)) if complete => {
                    missing.extend(unlike(&wish, resource, set).map(|what| format!("{name}: {what}")));
                }
                (None, _) => missing.push(format!("{name}: asked for, but not there")),
                _ => missing.push(format!("{name}: a child is not there")),
            }
        }
        let wishes = self.players.wishes();
        for plural in ["memcacheds", "statefulsets", "services", "poddisruptionbudgets"] {
            let prefix = format!("{plural}/");
            let names = objects.keys().filter_map(|key| key.strip_prefix(&prefix));
            missing.extend(
                names
                    .filter(|name| !wishes.contains_key(*name))
                    .map(|name| format!("{name}: deleted, but there is still one of {plural}")),
            );
        }
        missing
    }

    /// Everything that the operator has to do with, by `<plural>/<name>`.
    pub(super) fn objects(&mut self) -> BTreeMap<String, Value> {
        let mut objects = BTreeMap::new();
        for (group, plural) in [
            (format!("apis/{DOMAIN}/v1alpha1"), "memcacheds"),
            ("apis/apps/v1".to_owned(), "statefulsets"),
            ("api/v1".to_owned(), "services"),
            ("apis/policy/v1".to_owned(), "poddisruptionbudgets"),
            ("apis/coordination.k8s.io/v1".to_owned(), "leases"),
        ] {
            for object in self.api.list(self.now, &format!("/{group}/namespaces/{NAMESPACE}/{plural}")) {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                objects.insert(format!("{plural}/{name}"), object);
            }
        }
        objects
    }

    /// Shards whose Leases name nobody who is there.
    fn unowned(&self, objects: &BTreeMap<String, Value>) -> Vec<String> {
        let alive: Vec<&str> = self
            .processes
            .iter()
            .filter(|process| process.is_running())
            .map(|process| process.identity.0.as_str())
            .collect();
        (0..self.schedule.shards)
            .filter(|shard| {
                let lease = objects.get(&format!("leases/{LEADER_ELECTION_ID}-shard-{shard}"));
                let holder = lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str());
                holder.is_none_or(|holder| !alive.contains(&holder))
            })
            .map(|shard| format!("shard {shard}: nobody holds it"))
            .collect()
    }
}

/// What is not as this wish says.
fn unlike(wish: &Wish, resource: &Value, set: &Value) -> impl Iterator<Item = &'static str> {
    let (metadata, spec, status) = (&resource["metadata"], &resource["spec"], &resource["status"]);
    let bucket = metadata["labels"][format!("{DOMAIN}/bucket")].as_str();
    let recorded = status["bucket"].as_u64().map(|bucket| bucket.to_string());
    let argument = Value::from(wish.memory.to_string());
    let arguments = set["spec"]["template"]["spec"]["containers"][0]["args"].as_array();
    [
        (metadata["uid"] == wish.uid.as_str(), "not the object that was created"),
        (
            spec["replicas"] == wish.replicas && spec["memoryLimitMegabytes"] == wish.memory,
            "another spec than written",
        ),
        (status["observedGeneration"] == metadata["generation"], "its newest generation is not observed"),
        (status["readyReplicas"] == wish.replicas, "not all servers are reported ready"),
        (bucket.is_some() && bucket == recorded.as_deref(), "its label and its recorded bucket differ"),
        (set["spec"]["replicas"] == wish.replicas, "its StatefulSet has another number of replicas"),
        (arguments.is_some_and(|all| all.contains(&argument)), "its servers have another memory limit"),
    ]
    .into_iter()
    .filter_map(|(fine, what)| (!fine).then_some(what))
}
