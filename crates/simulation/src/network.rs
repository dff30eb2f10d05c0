//! The network between each slot and the API server: how long a message takes, and whether it arrives.

use std::time::Duration;

use crate::schedule::{Direction, FaultKind, NetworkSpec, Schedule, Slot, Span};
use crate::seed::stream;
use crate::time::TrueTime;

/// How long a client waits for a connection on which nothing comes back, before it gives it up.
const GIVES_UP: Span = Span { min: Duration::from_secs(2), max: Duration::from_secs(20) };

/// Of one message in so many, the latency is a straggler's.
const STRAGGLERS: u32 = 100;

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transmission {
    /// It arrives.
    Arrives {
        /// When.
        at: TrueTime,
        /// The fault that delays it, by its number in the schedule.
        delayed_by: Option<usize>,
    },
    /// It never does; the client notices at some time.
    Lost {
        /// When the client gives up.
        noticed: TrueTime,
        /// The fault that took it.
        by: usize,
    },
}

/// The links of all slots.
#[derive(Debug)]
pub(crate) struct Network {
    spec: NetworkSpec,
    rng: Vec<fastrand::Rng>,
    /// The faults that are on, by their number in the schedule.
    on: Vec<(usize, FaultKind)>,
}

impl Network {
    /// Healthy links.
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let slots = 0..schedule.replicas.len();
        let rng = slots.map(|slot| stream(schedule.seed, &format!("network {slot}"))).collect();
        Self { spec: schedule.network, rng, on: Vec::new() }
    }

    /// A fault begins.
    pub(crate) fn begin(&mut self, number: usize, fault: &FaultKind) {
        self.on.push((number, fault.clone()));
    }

    /// A fault ends.
    pub(crate) fn end(&mut self, number: usize) {
        self.on.retain(|(other, _)| *other != number);
    }

    /// The random numbers of a slot, for what else may happen to its messages.
    pub(crate) fn rng(&mut self, slot: Slot) -> &mut fastrand::Rng {
        &mut self.rng[slot.0]
    }

    /// The faults that are on.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (usize, &FaultKind)> {
        self.on.iter().map(|(number, fault)| (*number, fault))
    }

    /// The fault that keeps everything from going this way now.
    pub(crate) fn cut(&self, slot: Slot, way: Direction) -> Option<usize> {
        self.faults().find_map(|(number, fault)| match fault {
            FaultKind::Partition { slot: whose, direction } => {
                (*whose == slot && (*direction == Direction::Both || *direction == way)).then_some(number)
            }
            _ => None,
        })
    }

    /// The fault that keeps this slot's watches from showing anything now.
    pub(crate) fn hung(&self, slot: Slot) -> Option<usize> {
        let hung = self.faults().find_map(|(number, fault)| {
            matches!(fault, FaultKind::HangWatches(whose) if *whose == slot).then_some(number)
        });
        hung.or_else(|| self.cut(slot, Direction::FromServer))
    }

    /// A request on its way to the API server.
    pub(crate) fn request(&mut self, slot: Slot, departs: TrueTime) -> Transmission {
        self.transmission(slot, departs, Direction::ToServer)
    }

    /// Whether the connection breaks under this request: the fault by which it does, when the client notices, and when the request
    /// arrives.
    pub(crate) fn breaks(
        &mut self,
        slot: Slot,
        departs: TrueTime,
        is_write_of_reconcile: bool,
    ) -> Option<(usize, TrueTime, TrueTime)> {
        let rng = &mut self.rng[slot.0];
        let (number, within) = self.on.iter().find_map(|(number, fault)| match fault {
            FaultKind::BreakConnections { slot: whose, within, percent, only_writes }
                if *whose == slot && (is_write_of_reconcile || !only_writes) && rng.u8(..100) < *percent =>
            {
                Some((*number, *within))
            }
            _ => None,
        })?;
        let noticed = departs + self.latency(slot);
        let arrives = noticed + within.mul_f64(self.rng[slot.0].f64());
        Some((number, noticed, arrives))
    }

    /// An answer on its way back.
    pub(crate) fn answer(&mut self, slot: Slot, departs: TrueTime) -> Transmission {
        self.transmission(slot, departs, Direction::FromServer)
    }

    /// How long the next message takes on a healthy link.
    pub(crate) fn latency(&mut self, slot: Slot) -> Duration {
        let rng = &mut self.rng[slot.0];
        let span = if rng.u32(..STRAGGLERS) == 0 { self.spec.straggler } else { self.spec.latency };
        between(rng, span)
    }

    /// When a client that hears nothing gives up.
    pub(crate) fn gives_up(&mut self, slot: Slot, departs: TrueTime) -> TrueTime {
        departs + between(&mut self.rng[slot.0], GIVES_UP)
    }

    fn transmission(&mut self, slot: Slot, departs: TrueTime, way: Direction) -> Transmission {
        if let Some(by) = self.cut(slot, way).or_else(|| self.loses(slot, way)) {
            return Transmission::Lost { noticed: self.gives_up(slot, departs), by };
        }
        let mut latency = self.latency(slot);
        let mut delayed_by = None;
        for (number, fault) in &self.on {
            if let FaultKind::Slow { slot: whose, requests, answers } = fault
                && *whose == slot
            {
                let most = if way == Direction::ToServer { *requests } else { *answers };
                latency += most.mul_f64(self.rng[slot.0].f64());
                delayed_by = Some(*number);
            }
        }
        Transmission::Arrives { at: departs + latency, delayed_by }
    }

    fn loses(&mut self, slot: Slot, way: Direction) -> Option<usize> {
        let rng = &mut self.rng[slot.0];
        self.on.iter().find_map(|(number, fault)| {
            let percent = match fault {
                FaultKind::LoseRequests { slot: whose, percent }
                    if *whose == slot && way == Direction::ToServer =>
                {
                    *percent
                }
                FaultKind::LoseAnswers { slot: whose, percent }
                    if *whose == slot && way == Direction::FromServer =>
                {
                    *percent
                }
                _ => return None,
            };
            (rng.u8(..100) < percent).then_some(*number)
        })
    }
}

/// A duration of this range.
pub(crate) fn between(rng: &mut fastrand::Rng, span: Span) -> Duration {
    span.min + span.max.saturating_sub(span.min).mul_f64(rng.f64())
}
