//! The rules for writes of children, each a pure function with its deliberate fault beside it, once.
//!
//! Those of the Leases are in `lease_core`, and those of routing in `shard_router`. A fault exists only with the feature `mutants` and is off
//! until a test switches it on; without the feature, the compiler drops `broken!`.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use lease_core::broken;

/// The revision of an empty etcd. The first write has a larger one, so no object ever has it. (`0` means "any".)
const VERSION_OF_NOTHING: &str = "1";

/// The uid and resourceVersion that a write names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
}

/// What a write of a child that was seen depends on: the object is still the same, and has not changed since.
pub(crate) fn unchanged_since(seen: &ObjectMeta) -> Precondition {
    broken!(ChildWithoutPrecondition => Precondition::default());
    Precondition { uid: seen.uid.clone(), resource_version: seen.resource_version.clone() }
}

/// What a write of a child that was not seen depends on: there is still no such object.
pub(crate) fn still_absent() -> Precondition {
    broken!(CreateOverwrites => Precondition::default());
    Precondition { uid: None, resource_version: Some(VERSION_OF_NOTHING.to_owned()) }
}

/// How long a child that differs has to wait until it is written again, if nothing new is asked for: for the rest of the pause after the
/// last such write.
pub(crate) fn wait_before_restoring(rest_of_pause: Option<Duration>) -> Option<Duration> {
    broken!(MendsAtOnce => None);
    rest_of_pause
}
