//! Faults begin and end.

use http::Method;
use memcached_operator::crd::DOMAIN;
use serde_json::{Value, json};

use super::{Phase, Plan, World};
use crate::host::Stillness;
use crate::observations::Exit;
use crate::schedule::{FaultKind, LeaseChange, LeaseOf, Slot};
use crate::world::names::{LEADER_ELECTION_ID, NAMESPACE};

/// Whom people write over a holder. Nobody renews for it.
const STRANGER: &str = "stranger";

impl World {
    pub(super) fn begin_fault(&mut self, number: usize) {
        let fault = self.schedule.faults[number].clone();
        let slot = fault.what.slot();
        let process = slot.and_then(|slot| self.in_slot(slot));
        let mut hit = (0, 0);
        for process in &self.processes {
            if slot.is_none_or(|slot| process.slot == slot) && fault.what.affects() {
                hit.0 += process.reconciles_running();
                hit.1 += u64::try_from(process.lease_writes_in_flight).unwrap_or(u64::MAX);
            }
        }
        let hit_process = process.map(|process| self.processes[process].identity.clone());
        self.run_log.fault_begins(self.now, number, &fault, hit_process, hit);
        self.run_log.trace.line(self.now, format_args!("fault {:?}", fault.what));
        self.network.begin(number, &fault.what);
        self.plan_at(self.now + fault.lasts, Plan::FaultEnds(number));
        match fault.what {
            FaultKind::Pause(_) => self.hold_still(process, Stillness::Stopped),
            FaultKind::Suspend(_) => self.hold_still(process, Stillness::Suspended),
            FaultKind::Crash(_) | FaultKind::Restart(_) => {
                if let Some(process) = process {
                    self.take_away(process, Exit::Killed);
                }
            }
            FaultKind::Terminate(_) => {
                if let Some(process) = process {
                    self.processes[process].tell_to_stop();
                }
            }
            FaultKind::WallJump { by_ms, .. } => {
                if let Some(process) = process {
                    self.processes[process].set_wall(by_ms);
                }
            }
            FaultKind::TearWatches(slot) => self.tear_watches(slot, number),
            // A watch that is open is not asked for again before it ends, and its shard is worked on until then.
            FaultKind::FailingList { slot, .. } => self.cut_watches(|other| other == slot),
            FaultKind::DeadConnections { slot, percent, only_work } => {
                self.kill_connections(slot, percent, only_work, number);
            }
            FaultKind::Compact => self.compact(number),
            FaultKind::ApiDown | FaultKind::Restore { .. } => {
                self.api.down = true;
                self.cut_watches(|_| true);
            }
            FaultKind::ChangeLease { lease, what } => self.tamper_with_lease(lease, what),
            FaultKind::Label { resource, forged } => self.forge_label(resource, forged),
            FaultKind::Oddity { resource, what } => self.make_undecodable(resource, what),
            FaultKind::StripFinalizer { resource, tenant } => self.strip_finalizer(number, resource, tenant),
            FaultKind::OtherShards { slot, shards } => self.replace(slot, shards),
            FaultKind::WantedShards(change) => self.change_wanted_shards(change),
            FaultKind::Unsharded { anew, .. } => self.begin_unsharded(anew),
            FaultKind::Dispute { resource } => self.dispute(number, resource),
            FaultKind::Partition { .. }
            | FaultKind::Children { .. }
            | FaultKind::Slow { .. }
            | FaultKind::LoseRequests { .. }
            | FaultKind::LoseAnswers { .. }
            | FaultKind::BreakConnections { .. }
            | FaultKind::HangWatches(_)
            | FaultKind::LagWatches { .. }
            | FaultKind::Api { .. } => {}
        }
    }

    pub(super) fn end_fault(&mut self, number: usize) {
        let fault = self.schedule.faults[number].clone();
        self.network.end(number);
        let hit_process = self.run_log.fault_ends(self.now, number);
        let same =
            |world: &Self, process: usize| hit_process.as_ref() == Some(&world.processes[process].identity);
        match fault.what {
            FaultKind::Pause(slot) | FaultKind::Suspend(slot) => {
                if let Some(process) = self.in_slot(slot).filter(|process| same(self, *process)) {
                    self.processes[process].go_on(self.now);
                }
            }
            FaultKind::Restart(slot) => self.start(slot),
            FaultKind::Crash(slot) => {
                // Whoever is there has been started otherwise meanwhile.
                if self.in_slot(slot).is_none() {
                    self.replace_pod(slot);
                }
                self.start(slot);
            }
            FaultKind::Terminate(slot) => {
                // The kubelet's grace period is over.
                if let Some(process) = self.in_slot(slot).filter(|process| same(self, *process)) {
                    self.take_away(process, Exit::Killed);
                }
                if self.in_slot(slot).is_none() {
                    self.replace_pod(slot);
                }
                self.start(slot);
            }
            FaultKind::Partition { slot, .. } | FaultKind::HangWatches(slot) => self.release_watches(slot),
            FaultKind::TearWatches(slot) => self.tear_watches(slot, number),
            FaultKind::Oddity { resource, what } => self.make_decodable(resource, what),
            FaultKind::OtherShards { slot, .. } => {
                self.replace(slot, self.schedule.shards);
                self.restore_layout();
            }
            FaultKind::WantedShards(_) => self.want_shards(&self.schedule.shards.to_string()),
            FaultKind::Unsharded { releases, .. } => self.end_unsharded(releases),
            FaultKind::Children { .. } => self.remove_foreign(number),
            FaultKind::Restore { .. } => {
                self.api.down = self.run_log.down_by().is_some();
                self.restore(number);
            }
            FaultKind::ApiDown => {
                self.api.down = self.run_log.down_by().is_some();
                if self.rng.bool() {
                    self.compact(number);
                }
            }
            _ => {}
        }
        debug_assert!(self.phase == Phase::Busy, "the quiet begins when all faults are over");
    }

    fn hold_still(&mut self, process: Option<usize>, how: Stillness) {
        if let Some(process) = process {
            self.processes[process].stand_still(self.now, how);
        }
    }

    /// Another process in this slot, set to so many shards.
    fn replace(&mut self, slot: Slot, shards: u16) {
        if let Some(process) = self.in_slot(slot) {
            self.take_away(process, Exit::Killed);
        }
        self.replace_pod(slot);
        self.shards_in[slot.0] = shards;
        self.start(slot);
    }

    /// Where a layout stands that is not theirs, people have stopped whoever was set to it, and delete the coordinator Lease and all shard Leases: so it
    /// was to be done before the number of shards could change while replicas work, and so it may be done still. Where a ConfigMap says the number, they
    /// leave it to the coordinator.
    pub(super) fn restore_layout(&mut self) {
        let ours = u64::from(self.schedule.shards);
        let is_set_otherwise = self.shards_in.iter().any(|shards| *shards != self.schedule.shards);
        if self.schedule.shards_config_map || is_set_otherwise {
            return;
        }
        let leases: Vec<(String, bool)> = self
            .api
            .look()
            .peek_all("coordination.k8s.io", "leases", NAMESPACE)
            .filter(|(name, _)| !name.contains("-member-"))
            .map(|(name, lease)| {
                let layout = lease["metadata"]["annotations"][format!("{DOMAIN}/layout")].as_str();
                let layout = layout.and_then(|json| serde_json::from_str::<Value>(json).ok());
                (name.to_owned(), layout.is_some_and(|layout| layout["shards"] != ours))
            })
            .collect();
        if leases.iter().any(|(_, another)| *another) {
            for (name, _) in leases {
                let uri = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{name}");
                self.by_hand(Method::DELETE, &uri, None);
            }
        }
    }

    /// The server forgets its past; and whoever is behind loses the connection, so that it asks for that past.
    fn compact(&mut self, number: usize) {
        let machine = self.api.machine();
        machine.compact(machine.revision());
        for slot in 0..self.slots.len() {
            if self.rng.bool() {
                self.tear_watches(Slot(slot), number);
            }
        }
    }

    fn tamper_with_lease(&mut self, lease: LeaseOf, what: LeaseChange) {
        let Some(name) = self.lease_name(lease) else { return };
        let uri = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{name}");
        match what {
            LeaseChange::Delete => self.by_hand(Method::DELETE, &uri, None),
            LeaseChange::BlankHolder => {
                self.by_hand(Method::PATCH, &uri, Some(&json!({"spec": {"holderIdentity": ""}})));
            }
            LeaseChange::ShortRecord => {
                let record = json!({"spec": {"holderIdentity": STRANGER, "leaseDurationSeconds": 1}});
                self.by_hand(Method::PATCH, &uri, Some(&record));
            }
            LeaseChange::Label => {
                let label = json!({"metadata": {"labels": {"touched": self.now.nanos().to_string()}}});
                self.by_hand(Method::PATCH, &uri, Some(&label));
            }
        }
    }

    fn lease_name(&self, lease: LeaseOf) -> Option<String> {
        match lease {
            LeaseOf::Coordinator => Some(LEADER_ELECTION_ID.to_owned()),
            LeaseOf::Shard(shard) => Some(format!("{LEADER_ELECTION_ID}-shard-{shard}")),
            LeaseOf::Member(slot) => {
                let identity = &self.processes[self.in_slot(slot)?].identity;
                self.run_log.member_lease_of(identity)
            }
        }
    }
}

impl FaultKind {
    /// Whether it hits whatever runs when it begins; else it hits messages, one by one.
    fn affects(&self) -> bool {
        !matches!(
            self,
            Self::Slow { .. }
                | Self::LoseRequests { .. }
                | Self::LoseAnswers { .. }
                | Self::BreakConnections { .. }
                | Self::DeadConnections { .. }
                | Self::Api { .. }
                | Self::Children { .. }
                | Self::Dispute { .. }
                | Self::FailingList { .. }
        )
    }
}
