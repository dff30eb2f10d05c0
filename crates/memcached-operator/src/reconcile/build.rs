//! From a valid fleet to its children. Pure: same fleet, same objects.

mod labels;
mod pod;
mod pod_disruption_budget;
mod service;
mod stateful_set;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use super::validate::Fleet;

pub use labels::selector;
pub use pod_disruption_budget::MAX_UNAVAILABLE;

/// memcached's port, on each pod and on the Service.
pub const PORT: i32 = 11211;

/// Everything that one `Memcached` consists of. Each child bears its name.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    /// The servers.
    pub stateful_set: StatefulSet,
    /// Their DNS names.
    pub service: Service,
    /// How many of them may be evicted at once.
    pub pod_disruption_budget: PodDisruptionBudget,
}

/// Builds the children of a fleet; `bucket` is the label by which its shard's watches find them.
pub fn build(fleet: &Fleet, bucket: Option<&(String, String)>) -> Children {
    Children {
        stateful_set: stateful_set::build(fleet, bucket),
        service: service::build(fleet, bucket),
        pod_disruption_budget: pod_disruption_budget::build(fleet, bucket),
    }
}
