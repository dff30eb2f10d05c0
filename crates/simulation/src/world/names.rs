//! Names that the whole world uses.

/// LeaderElectionID of the simulated operator.
pub(super) const LEADER_ELECTION_ID: &str = "memcached.cache.example.com";

/// The namespace of everything.
pub(super) const NAMESPACE: &str = "default";

/// The ConfigMap that says how many shards are wanted.
pub(super) const SHARDS_CONFIG_MAP: &str = "memcached-shards";

/// The label that shard keys come from, where they come from a label.
pub(super) const TENANT: &str = "tenant";
