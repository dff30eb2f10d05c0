//! Whether everything is as the users have asked for, and every shard owned.

use std::collections::{BTreeMap, BTreeSet};

use memcached_operator::crd::DOMAIN;
use serde_json::Value;
use shard_router::ShardKey;

use super::World;
use crate::observations::DesiredSpec;
use crate::world::names::{LEADER_ELECTION_ID, NAMESPACE};

impl World {
    /// What is not as asked for, one sentence each. What is cheap to see is looked at first, and the rest only if that is fine.
    pub(super) fn missing(&self) -> Vec<String> {
        let leases = self.objects_of(&["leases"]);
        let unowned = self.unowned(&leases);
        if !unowned.is_empty() {
            return unowned;
        }
        let changing = self.changing(&leases);
        if !changing.is_empty() {
            return changing;
        }
        let uneven = self.uneven(&leases);
        if !uneven.is_empty() {
            return uneven;
        }
        let resources = self.objects_of(&["memcacheds"]);
        let desired = self.actors.desired();
        let unlike = desired.iter().flat_map(|(name, wish)| {
            let resource = resources.get(&format!("memcacheds/{name}"));
            let faults = resource.map_or_else(
                || vec!["not there"],
                |resource| resource_unlike(wish, resource, self.schedule.key_label),
            );
            faults.into_iter().map(move |fault| format!("{name}: {fault}"))
        });
        let missing: Vec<String> = unlike.chain(left_over(&resources, &desired)).collect();
        if !missing.is_empty() {
            return missing;
        }
        let children = self.objects_of(&["statefulsets", "services", "poddisruptionbudgets"]);
        let unlike = desired.iter().flat_map(|(name, wish)| {
            children_unlike(name, wish, &children).into_iter().map(move |fault| format!("{name}: {fault}"))
        });
        unlike.chain(left_over(&children, &desired)).chain(self.missing_profiles()).collect()
    }

    /// Everything that the operator has to do with, by `<plural>/<name>`.
    pub(super) fn objects(&self) -> BTreeMap<String, Value> {
        let all = self.objects_of(&[
            "memcacheds",
            "profiles",
            "statefulsets",
            "services",
            "poddisruptionbudgets",
            "leases",
        ]);
        all.into_iter().map(|(key, object)| (key, object.clone())).collect()
    }

    fn objects_of(&self, plurals: &[&str]) -> BTreeMap<String, &Value> {
        let mut objects = BTreeMap::new();
        for plural in plurals {
            let group = match *plural {
                "memcacheds" => DOMAIN,
                "profiles" => crate::profile::GROUP,
                "statefulsets" => "apps",
                "poddisruptionbudgets" => "policy",
                "leases" => "coordination.k8s.io",
                _ => "",
            };
            let found = self.api.look().peek_all(group, plural, NAMESPACE);
            objects.extend(found.map(|(name, object)| (format!("{plural}/{name}"), object)));
        }
        objects
    }

    /// Shards whose Leases name nobody who is there.
    fn unowned(&self, objects: &BTreeMap<String, &Value>) -> Vec<String> {
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

    /// A layout that is not the wanted one, or not settled, and Leases that are left over from another.
    fn changing(&self, leases: &BTreeMap<String, &Value>) -> Vec<String> {
        let coordinator = leases.get(&format!("leases/{LEADER_ELECTION_ID}"));
        let layout = coordinator
            .and_then(|lease| lease["metadata"]["annotations"][format!("{DOMAIN}/layout")].as_str())
            .and_then(|json| serde_json::from_str::<Value>(json).ok())
            .unwrap_or_default();
        let wanted = self.schedule.shards;
        if layout["shards"] != wanted || layout["settled"] != true {
            return vec![format!("the layout is {layout}, and {wanted} shards are wanted")];
        }
        let number =
            |name: &String| name.rsplit_once("-shard-").and_then(|(_, number)| number.parse::<u16>().ok());
        let left_over = leases.keys().filter(|name| number(name).is_some_and(|number| number >= wanted));
        left_over.map(|name| format!("{name} is left over from another layout")).collect()
    }

    /// Replicas that hold two shards more than another one, and shards that have still to move. Whoever says that it is unable to work is left out.
    fn uneven(&self, leases: &BTreeMap<String, &Value>) -> Vec<String> {
        let is_unable = |identity: &str| {
            leases.iter().any(|(name, lease)| {
                name.contains("-member-")
                    && lease["spec"]["holderIdentity"] == identity
                    && !annotation(lease, "unable").is_null()
            })
        };
        let running = self.processes.iter().filter(|process| process.is_running());
        let running = running.map(|process| process.identity.0.as_str());
        let able: BTreeSet<&str> = running.filter(|identity| !is_unable(identity)).collect();
        let mut shares: BTreeMap<&str, usize> = able.iter().map(|identity| (*identity, 0)).collect();
        for shard in 0..self.schedule.shards {
            if let Some(share) = holder(leases, shard).and_then(|holder| shares.get_mut(holder)) {
                *share += 1;
            }
        }
        let least = shares.values().min().copied().unwrap_or_default();
        let more = shares.iter().filter(|(_, held)| **held > least + 1);
        let uneven =
            more.map(|(identity, held)| format!("{identity} holds {held} shards, and another one {least}"));
        uneven.chain(self.to_move(leases, &able)).collect()
    }

    /// What is not yet as the plan says, or is not planned yet.
    fn to_move(&self, leases: &BTreeMap<String, &Value>, able: &BTreeSet<&str>) -> Vec<String> {
        let coordinator = leases.get(&format!("leases/{LEADER_ELECTION_ID}"));
        let plan = coordinator.map(|lease| annotation(lease, "plan")).and_then(Value::as_str);
        let plan: Value = plan.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let members = plan["members"].as_array().map_or(&[][..], Vec::as_slice);
        let planned_for: BTreeSet<&str> = members.iter().filter_map(Value::as_str).collect();
        if !able.is_empty() && planned_for != *able {
            return vec!["the plan is for other members than there are".to_owned()];
        }
        let planned = |shard: u16| {
            let number = plan["shards"][usize::from(shard)].as_u64()?;
            members.get(usize::try_from(number).ok()?)?.as_str()
        };
        let differs =
            |shard: &u16| planned(*shard).is_some_and(|planned| holder(leases, *shard) != Some(planned));
        (0..self.schedule.shards)
            .filter(differs)
            .map(|shard| format!("shard {shard} has still to move"))
            .collect()
    }
}

fn holder<'a>(leases: &BTreeMap<String, &'a Value>, shard: u16) -> Option<&'a str> {
    leases.get(&format!("leases/{LEADER_ELECTION_ID}-shard-{shard}"))?["spec"]["holderIdentity"].as_str()
}

fn annotation<'a>(lease: &'a Value, key: &str) -> &'a Value {
    &lease["metadata"]["annotations"][format!("{DOMAIN}/{key}")]
}

/// What is there although nobody wants it any more.
fn left_over(objects: &BTreeMap<String, &Value>, desired: &BTreeMap<String, DesiredSpec>) -> Vec<String> {
    let unwanted = objects.keys().filter_map(|key| {
        let (plural, name) = key.split_once('/')?;
        (!desired.contains_key(name)).then(|| format!("{name}: deleted, but there is still one of {plural}"))
    });
    unwanted.collect()
}

/// What is not as this wish says in the resource itself.
fn resource_unlike(wish: &DesiredSpec, resource: &Value, key_label: bool) -> Vec<&'static str> {
    let (metadata, spec, status) = (&resource["metadata"], &resource["spec"], &resource["status"]);
    let name = metadata["name"].as_str().unwrap_or_default();
    let bucket = metadata["labels"][format!("{DOMAIN}/bucket")].as_str();
    let recorded = status["bucket"].as_u64().map(|bucket| bucket.to_string());
    let of_name = || ShardKey::from(&*format!("{NAMESPACE}/{name}")).bucket().to_string();
    // By name, nothing need be recorded.
    let fixed = recorded.or_else(|| (!key_label).then(of_name));
    let as_written = spec["replicas"] == wish.replicas && spec["memoryLimitMegabytes"] == wish.memory;
    faults([
        (metadata["uid"] == wish.uid.as_str(), "not the object that was created"),
        (as_written, "another spec than written"),
        (status["observedGeneration"] == metadata["generation"], "its newest generation is not observed"),
        (status["readyReplicas"] == wish.replicas, "not all servers are reported ready"),
        (bucket.is_some() && bucket == fixed.as_deref(), "its label and its bucket differ"),
    ])
}

/// What is not as this wish says in its children.
fn children_unlike(name: &str, wish: &DesiredSpec, children: &BTreeMap<String, &Value>) -> Vec<&'static str> {
    let there = |plural: &str| children.contains_key(&format!("{plural}/{name}"));
    let set = children.get(&format!("statefulsets/{name}")).copied().unwrap_or(&Value::Null);
    let argument = Value::from(wish.memory.to_string());
    let arguments = set["spec"]["template"]["spec"]["containers"][0]["args"].as_array();
    let complete = there("services") && there("poddisruptionbudgets");
    faults([
        (complete, "its Service or PodDisruptionBudget is not there"),
        (set["spec"]["replicas"] == wish.replicas, "its StatefulSet has another number of replicas"),
        (arguments.is_some_and(|all| all.contains(&argument)), "its servers have another memory limit"),
    ])
}

fn faults<const N: usize>(checks: [(bool, &'static str); N]) -> Vec<&'static str> {
    checks.into_iter().filter_map(|(fine, what)| (!fine).then_some(what)).collect()
}
