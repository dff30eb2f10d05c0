//! etcd is restored from a backup.

use std::collections::BTreeMap;

use embedded_apiserver::Machine;

use super::World;
use crate::observations::{DesiredProfile, DesiredSpec};

/// What was there at one time, and what users had asked for by then.
pub(super) struct Backup {
    machine: Machine,
    desired: BTreeMap<String, DesiredSpec>,
    profiles: BTreeMap<String, DesiredProfile>,
}

impl World {
    pub(super) fn back_up(&mut self, number: usize) {
        self.run_log.trace.line(self.now, format_args!("backup for fault {number}"));
        let (desired, profiles) = (self.actors.desired(), self.actors.profiles.clone());
        let backup = Backup { machine: self.api.look().backup(), desired, profiles };
        self.backups.insert(number, backup);
    }

    /// What was done since the backup is gone, and what was asked for since then with it. Nobody is told: connections were cut when the
    /// server stopped, and who asks finds older versions.
    pub(super) fn restore(&mut self, number: usize) {
        let Some(Backup { machine, desired, profiles }) = self.backups.remove(&number) else { return };
        self.cut_watches(|_| true);
        self.api.restore(machine);
        self.actors.restore(desired, profiles);
        self.watch_workloads();
        self.note_restore();
        self.show_changes(self.now);
    }
}
