//! Connections that are dead without a word: no reset ever comes, and whoever waits for something on them waits.
//!
//! The simulation knows no pool of connections. A watch has one for itself, and dies with it. A request is sent on one of those that
//! are idle: for as long as the fault is on, some of these are dead. What remains of the ways to find that out is the limits of the
//! clients: TCP's own checks are the kernel's.

use http::Request;
use tokio::sync::oneshot;

use super::World;
use super::request::{RequestKind, is_first_list, is_of_leases};
use crate::schedule::{FaultKind, Slot};
use crate::transport::Answered;

/// Where on a dead connection a message is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LostAs {
    /// The request never arrives.
    Request,
    /// It arrives, and its answer does not.
    Answer,
}

/// Answers that nobody will ever give. They are kept, as dropping one would be a reset.
#[derive(Default)]
pub(super) struct UnansweredRequests(Vec<oneshot::Sender<Answered>>);

impl World {
    /// Connections of this slot die, among them those of some watches that are open.
    pub(super) fn kill_connections(&mut self, slot: Slot, percent: u8, only_work: bool, fault: usize) {
        for id in self.watches_of(slot) {
            let spared = only_work && self.watches.is_of_leases(id);
            if !spared && self.network.rng(slot).u8(..100) < percent {
                self.watches.kill(id);
                self.run_log.touch_watch(fault);
            }
        }
    }

    /// Whether this request goes out on a dead connection: by which fault, and where it is lost.
    pub(super) fn on_dead_connection<B>(
        &mut self,
        slot: Slot,
        request: &Request<B>,
    ) -> Option<(usize, LostAs)> {
        let (fault, percent) = self.network.faults().find_map(|(number, fault)| match fault {
            FaultKind::DeadConnections { slot: whose, percent, only_work }
                if *whose == slot && !(*only_work && is_of_leases(request)) =>
            {
                Some((number, *percent))
            }
            _ => None,
        })?;
        let rng = self.network.rng(slot);
        if rng.u8(..100) >= percent {
            return None;
        }
        let lost_as = if rng.bool() { LostAs::Request } else { LostAs::Answer };
        if is_first_list(request) {
            self.run_log.touch_list(fault);
        }
        Some((fault, lost_as))
    }

    /// Nothing will ever be said to this.
    pub(super) fn never_answer(
        &mut self,
        process: usize,
        kind: RequestKind,
        reply: oneshot::Sender<Answered>,
    ) {
        if kind == RequestKind::LeaseWrite {
            let in_flight = &mut self.processes[process].lease_writes_in_flight;
            *in_flight = in_flight.saturating_sub(1);
        }
        // Clients that have given up are forgotten now and then.
        self.unanswered.0.retain(|reply| !reply.is_closed());
        self.unanswered.0.push(reply);
    }
}
