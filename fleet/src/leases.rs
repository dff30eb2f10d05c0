//! Who holds which shard, as anybody with kubectl sees it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

/// The operator's default.
pub const LEADER_ELECTION_ID: &str = "memcached.cache.example.com";

/// The Lease of a shard.
#[derive(Debug, Clone)]
pub struct ShardLease {
    /// Its number.
    pub shard: u32,
    /// The whole holderIdentity; none when the shard is free.
    pub holder: Option<String>,
    /// When it was acquired.
    pub since: Option<Timestamp>,
    /// How often it has changed hands.
    pub transitions: i32,
}

impl ShardLease {
    /// The holder's Pod.
    pub fn pod(&self) -> Option<&str> {
        self.holder.as_deref().and_then(|holder| holder.split('_').next())
    }
}

/// The Leases of all shards, by number.
///
/// # Errors
///
/// The API server refused the list, or did not answer.
pub async fn shard_leases(client: &Client, namespace: &str) -> Result<Vec<ShardLease>> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    // From the API server's cache: this is a picture, and the proof comes from the records.
    let params = ListParams::default().match_any();
    let leases = leases.list(&params).await.context("the Leases could not be listed")?;
    let mut shards: Vec<_> = leases.into_iter().filter_map(shard_lease).collect();
    shards.sort_by_key(|lease| lease.shard);
    Ok(shards)
}

/// How many shards each Pod holds.
pub fn held_by_pod(leases: &[ShardLease]) -> BTreeMap<&str, u32> {
    let mut held = BTreeMap::new();
    for pod in leases.iter().filter_map(ShardLease::pod) {
        *held.entry(pod).or_default() += 1;
    }
    held
}

fn shard_lease(lease: Lease) -> Option<ShardLease> {
    let name = lease.name_any();
    let shard = name.strip_prefix(LEADER_ELECTION_ID)?.strip_prefix("-shard-")?.parse().ok()?;
    let spec = lease.spec.unwrap_or_default();
    Some(ShardLease {
        shard,
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        since: spec.acquire_time.map(|time| time.0),
        transitions: spec.lease_transitions.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use kube::api::ObjectMeta;

    use super::*;

    fn lease(name: &str, holder: &str) -> Lease {
        Lease {
            metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
            spec: Some(LeaseSpec { holder_identity: Some(holder.into()), ..LeaseSpec::default() }),
        }
    }

    #[test]
    fn only_shard_leases_count_and_released_ones_are_free() {
        let name = |rest: &str| format!("{LEADER_ELECTION_ID}{rest}");
        let leases: Vec<_> = [
            lease(&name(""), "pod-0_a"),
            lease(&name("-member-ab"), "pod-0_a"),
            lease(&name("-shard-3"), "pod-0_a"),
            lease(&name("-shard-4"), ""),
            lease("other-shard-5", "pod-0_a"),
        ]
        .into_iter()
        .filter_map(shard_lease)
        .collect();
        assert_eq!(leases.iter().map(|lease| lease.shard).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(held_by_pod(&leases), BTreeMap::from([("pod-0", 1)]));
    }
}
