//! What the demo shows.

use std::collections::HashMap;

use ::fleet::{ShardLease, held_by_pod};

/// What can be seen at one moment.
pub(super) struct View {
    pub(super) leases: Vec<ShardLease>,
    /// How many resources each shard reconciled last.
    pub(super) crs: HashMap<u32, usize>,
    pub(super) reconciled: usize,
    pub(super) resources: usize,
    /// Each Pod, with a remark if it does not run.
    pub(super) pods: Vec<(String, &'static str)>,
}

impl View {
    /// Whether each shard has a holder among these Pods, and no Pod more than its share.
    pub(super) fn settled(&self, shards: u32, running: &[String]) -> bool {
        let held = held_by_pod(&self.leases);
        let share = shards.div_ceil(u32::try_from(running.len()).unwrap_or(1).max(1));
        held.values().sum::<u32>() == shards
            && held.iter().all(|(pod, held)| running.iter().any(|name| name == pod) && *held <= share)
    }
}
