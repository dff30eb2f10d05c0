//! The names of Leases, labels, annotations and the finalizer.

use lease_core::{Identity, Installation, LeaderElectionId, LeaseName, NameError, Takeover};

use crate::routing::{bucket::ShardId, hash::hash, layout::Layout};

/// The names that an operator uses in the cluster. Two operators in one namespace have different LeaderElectionIDs. Two
/// operators for the same object have different domains.
#[derive(Debug, Clone)]
pub struct Names {
    id: LeaderElectionId,
    domain: String,
}

impl Names {
    /// The names for this LeaderElectionID, with labels and annotations under `<domain>/`.
    pub fn new(id: LeaderElectionId, domain: impl Into<String>) -> Self {
        Self { id, domain: domain.into() }
    }

    /// The LeaderElectionID.
    pub fn id(&self) -> &LeaderElectionId {
        &self.id
    }

    /// What labels and annotations begin with, before the slash.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The coordinator Lease. It has no suffix, so an earlier version of the operator that does not shard uses the same one.
    pub fn coordinator(&self) -> LeaseName {
        self.id.lease_name()
    }

    /// Whether this is the name of the coordinator Lease.
    pub fn is_coordinator(&self, lease: &str) -> bool {
        lease == self.id.as_str()
    }

    /// The Lease of a shard: `<LeaderElectionID>-shard-<n>`.
    ///
    /// # Errors
    ///
    /// If the name is not a DNS subdomain.
    pub fn shard(&self, shard: ShardId) -> Result<LeaseName, NameError> {
        self.id.suffixed(&format!("shard-{shard}"))
    }

    /// The shard whose Lease has this name; `None` for other Leases.
    pub fn shard_of(&self, lease: &str) -> Option<ShardId> {
        let number = lease.strip_prefix(self.id.as_str())?.strip_prefix("-shard-")?;
        // As `shard` writes it: neither `01` nor `+1`.
        let canonical = number == "0" || number.starts_with(|first: char| matches!(first, '1'..='9'));
        canonical.then(|| number.parse().ok().map(ShardId)).flatten()
    }

    /// The member Lease of a replica: `<LeaderElectionID>-member-<12 hex digits>`. The digits are a hash of the identity, so the name is short,
    /// and different for each process.
    ///
    /// # Errors
    ///
    /// If the name is not a DNS subdomain.
    pub fn member(&self, identity: &Identity) -> Result<LeaseName, NameError> {
        self.id.suffixed(&format!("member-{:012x}", hash(identity.as_str().as_bytes()) >> 16))
    }

    /// Whether this is the name of a member Lease.
    pub fn is_member(&self, lease: &str) -> bool {
        lease.strip_prefix(self.id.as_str()).is_some_and(|rest| rest.starts_with("-member-"))
    }

    /// The label on custom resources and their children: `<domain>/bucket`.
    pub fn bucket_label(&self) -> String {
        self.under_domain("bucket")
    }

    /// The annotation with the [layout](crate::Layout): the committed one on the coordinator Lease, and the one that the holder uses on
    /// a shard Lease.
    pub fn layout_annotation(&self) -> String {
        self.under_domain("layout")
    }

    /// The annotation of the coordinator Lease for this layout: its key, and the layout as JSON.
    pub(crate) fn annotation_of_layout(&self, layout: &Layout) -> (String, String) {
        (self.layout_annotation(), serde_json::to_string(layout).expect("a layout is plain data"))
    }

    /// The annotation of the coordinator Lease with the [plan](crate::Plan).
    pub fn plan_annotation(&self) -> String {
        self.under_domain("plan")
    }

    /// The annotation of the coordinator Lease in which a coordinator writes its identity with each write. If the holder differs from it,
    /// the holder does not shard.
    pub fn coordinator_annotation(&self) -> String {
        self.under_domain("coordinator")
    }

    /// The annotation of a member Lease that says that its replica is shutting down.
    pub fn draining_annotation(&self) -> String {
        self.under_domain("draining")
    }

    /// The annotation of a member Lease that says that its replica could not work on the shards that it held.
    pub fn unable_annotation(&self) -> String {
        self.under_domain("unable")
    }

    /// The annotation of a member Lease that says which namespaces its replica watches.
    pub fn watched_namespaces_annotation(&self) -> String {
        self.under_domain("watched-namespaces")
    }

    /// The annotation of a member Lease that says which program its replica runs, such as `memcached-operator/0.1.0` ([`Options::product`](crate::Options)).
    pub fn version_annotation(&self) -> String {
        self.under_domain("version")
    }

    /// The annotation of every Lease that says why its holder could take it.
    pub fn takeover_annotation(&self) -> String {
        Takeover::annotation(&self.domain)
    }

    /// The annotation of every Lease that says which [installation](Installation) holds it.
    pub fn installation_annotation(&self) -> String {
        Installation::annotation(&self.domain)
    }

    /// The finalizer that keeps the name of a deleted resource taken until its owner's last reconcile has ended. It is used
    /// only with a key label: without one, a new resource of the same name belongs to the same shard anyway.
    pub fn owner_finalizer(&self) -> String {
        self.under_domain("shard-owner")
    }

    fn under_domain(&self, name: &str) -> String {
        format!("{}/{name}", self.domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(LeaderElectionId::new("memcached.cache.example.com").unwrap(), "cache.example.com")
    }

    #[test]
    fn shards_are_found_by_name_and_nothing_else_is_taken_for_one() {
        let names = names();
        let lease = names.shard(ShardId(17)).unwrap();
        assert_eq!(lease.as_str(), "memcached.cache.example.com-shard-17");
        assert_eq!(names.shard_of(lease.as_str()), Some(ShardId(17)));
        for other in ["memcached.cache.example.com", "other-shard-1", "memcached.cache.example.com-shard-01"]
        {
            assert_eq!(names.shard_of(other), None, "{other}");
        }
    }

    #[test]
    fn two_processes_of_one_pod_are_two_members() {
        let names = names();
        let lease = |identity| names.member(&Identity::new(identity).unwrap()).unwrap();
        assert_ne!(lease("pod-0_a"), lease("pod-0_b"));
        assert!(names.is_member(lease("pod-0_a").as_str()));
        assert!(!names.is_member("memcached.cache.example.com-shard-1"));
        assert_eq!(names.bucket_label(), "cache.example.com/bucket");
    }
}
