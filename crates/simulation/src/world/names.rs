//! Names that the whole world uses.

/// LeaderElectionID of the simulated operator.
pub(super) const LEADER_ELECTION_ID: &str = "memcached.cache.example.com";

/// The namespace of everything.
pub(super) const NAMESPACE: &str = "default";

/// The label that shard keys come from, where they come from a label.
pub(super) const TENANT: &str = "tenant";
