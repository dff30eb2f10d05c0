//! Connections that are dead without a word: no reset ever comes, and whoever waits for something on them waits.
//!
//! The simulation knows no pool of connections. A watch has one for itself, and dies with it. A request is sent on one of those that
//! are idle: for as long as the fault is on, some of these are dead. What remains of the ways to find that out is the limits of the
//! clients: TCP's own checks are the kernel's.

use http::Request;
use tokio::sync::oneshot;

use super::World;
use super::request::{Concern, is_first_list, is_of_leases};
use crate::schedule::{FaultKind, Seat};
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
pub(super) struct Never(Vec<oneshot::Sender<Answered>>);

impl World {
    /// Connections of this seat die, among them those of some watches that are open.
    pub(super) fn bury_connections(&mut self, seat: Seat, percent: u8, only_work: bool, fault: usize) {
        for id in self.watches_of(seat) {
            let spared = only_work && self.watches.is_of_leases(id);
            if !spared && self.network.dice(seat).u8(..100) < percent {
                self.watches.bury(id);
                self.ledger.touch_watch(fault);
            }
        }
    }

    /// Whether this request goes out on a dead connection: by which fault, and where it is lost.
    pub(super) fn on_dead_connection<B>(
        &mut self,
        seat: Seat,
        request: &Request<B>,
    ) -> Option<(usize, LostAs)> {
        let (fault, percent) = self.network.faults().find_map(|(number, fault)| match fault {
            FaultKind::DeadConnections { seat: whose, percent, only_work }
                if *whose == seat && !(*only_work && is_of_leases(request)) =>
            {
                Some((number, *percent))
            }
            _ => None,
        })?;
        let dice = self.network.dice(seat);
        if dice.u8(..100) >= percent {
            return None;
        }
        let lost_as = if dice.bool() { LostAs::Request } else { LostAs::Answer };
        if is_first_list(request) {
            self.ledger.touch_list(fault);
        }
        Some((fault, lost_as))
    }

    /// Nothing will ever be said to this.
    pub(super) fn never_answer(
        &mut self,
        process: usize,
        concern: Concern,
        reply: oneshot::Sender<Answered>,
    ) {
        if concern == Concern::LeaseWrite {
            let in_flight = &mut self.processes[process].lease_writes_in_flight;
            *in_flight = in_flight.saturating_sub(1);
        }
        // Clients that have given up are forgotten now and then.
        self.never.0.retain(|reply| !reply.is_closed());
        self.never.0.push(reply);
    }
}
