//! The directories that outlive processes. In production a lock on a file proves that the processes named there have ended (`--state-dir`); here the
//! world knows it: a process starts in a slot only when there is none any more.

use std::time::Duration;

use lease_core::{EndedProcesses, Identity, Monotonic};

use super::World;
use crate::schedule::Slot;

/// The directory of one Pod.
#[derive(Clone, Debug, Default)]
pub(super) struct StateDir {
    /// The processes that have held the lock, with how long their requests may be on their way.
    names: Vec<(Identity, Duration)>,
}

impl World {
    /// The Pod in this slot is another one from now on, and so is its directory.
    pub(super) fn replace_pod(&mut self, slot: Slot) {
        self.state_dirs[slot.0] = StateDir::default();
    }

    /// A process starts in this slot, on a machine that has been up for `uptime`: what it finds in the directory of its Pod.
    pub(super) fn open_state_dir(
        &mut self,
        slot: Slot,
        identity: &Identity,
        uptime: Duration,
    ) -> EndedProcesses {
        let is_held = self.slots[slot.0].is_none();
        let names = &mut self.state_dirs[slot.0].names;
        let gained = Monotonic::from_origin(uptime);
        let ended = EndedProcesses::proven_by_lock(is_held, gained, names.iter().cloned());
        names.push((identity.clone(), self.schedule.timings.margin()));
        ended
    }
}
