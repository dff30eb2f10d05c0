//! The directories that outlive processes: who holds the lock in each, and whose names are written there.

use std::time::Duration;

use lease_core::{EndedProcesses, Identity};

use super::World;

/// The directory of one node or of several, as two containers may mount one volume.
#[derive(Debug, Default)]
pub(crate) struct StateDir {
    /// Where the process runs that gained the lock last, and its name. It holds the lock for as long as it lives.
    holder: Option<(usize, Identity)>,
    names: Vec<(Identity, Duration)>,
}

impl World {
    /// Whether the process that runs at this node, or ran there last, holds the lock.
    pub(crate) fn proves_its_end(&self, node: usize) -> bool {
        let dir = self.nodes[node].settings.state_dir.map(|dir| &self.dirs[dir]);
        let last = self.nodes[node].identity(node);
        dir.and_then(|dir| dir.holder.as_ref()).is_some_and(|(_, holder)| *holder == last)
    }

    /// A process is about to start at this node: what it knows of those that have ended.
    pub(crate) fn open_state_dir(&mut self, node: usize, identity: &Identity) -> EndedProcesses {
        let settings = &self.nodes[node].settings;
        let Some(dir) = settings.state_dir else { return EndedProcesses::default() };
        let transit = settings.timings.longest_transit();
        let now = self.nodes[node].clocks.now(self.now).monotonic;
        let lives = |(node, holder): &(usize, Identity)| {
            self.nodes[*node].process.as_ref().is_some_and(|process| process.identity == *holder)
        };
        let is_free = !self.dirs[dir].holder.as_ref().is_some_and(lives);
        let dir = &mut self.dirs[dir];
        let ended = EndedProcesses::proven_by_lock(is_free, now, dir.names.iter().cloned());
        if is_free {
            dir.holder = Some((node, identity.clone()));
            dir.names.push((identity.clone(), transit));
        } else {
            self.stats.count("lock held by another process");
        }
        ended
    }
}
