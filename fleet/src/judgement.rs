//! What the operator's replicas may write.

use overlap_checker::{JudgedResource, Owner, WriteRules};

use crate::pod_name;

/// Every write of a resource or of one of its children is judged, and each of so many replicas is a user of its own.
pub fn write_rules(replicas: u32) -> WriteRules {
    WriteRules {
        judged: vec![
            JudgedResource::new("cache.example.com", "memcacheds", Owner::Itself),
            JudgedResource::new("apps", "statefulsets", Owner::SameName),
            JudgedResource::new("", "services", Owner::SameName),
            JudgedResource::new("policy", "poddisruptionbudgets", Owner::SameName),
        ],
        users: (0..replicas).map(|number| (pod_name(number), pod_name(number))).collect(),
        ..WriteRules::default()
    }
}
