//! What is to happen, in the order of the true time.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use lease_core::AttemptId;
use lease_core::{Identity, ObservedLease, Refusal, Write};

use super::faults::Fault;

/// One thing that happens.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A node's earliest deadline may have come. The number tells an alarm that was reset from the one that counts.
    Alarm { node: usize, number: u64 },
    /// A request reaches the API server.
    Arrival(Request),
    /// An answer reaches the node that asked.
    Answer { node: usize, request: u64, answer: Answer },
    /// A watch shows its next entry.
    Watch { node: usize },
    /// A node's work has ended.
    WorkEnd { node: usize, work: u64 },
    /// A node's work sends a write.
    WorkWrites { node: usize, work: u64 },
    /// Such a write reaches the API server.
    WorkWriteLands { writer: Identity },
    /// The plan wants another fault.
    NextFault,
    /// A fault strikes this node, or whatever it strikes.
    Strike { node: usize, fault: Fault },
    /// Something that a fault began at this node may be over.
    Remedy { node: usize },
    /// The stranger who took the Lease gives it up.
    StrangerReleases,
    /// etcd and the API servers are back, on a state of before.
    Restored { after_outage: bool },
    /// No more faults from here on.
    Calm,
}

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: u64,
    pub(crate) node: usize,
    pub(crate) writer: Identity,
    /// `None` is a read.
    pub(crate) write: Option<Write>,
    /// The annotations that it carries, by number.
    pub(crate) carries: Vec<u64>,
}

/// What the API server answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What stood there, and as of which version of the API server.
    Read(u64, Option<ObservedLease>),
    ReadFailed {
        retry_after: Option<Duration>,
    },
    Landed(AttemptId, Option<ObservedLease>),
    Refused(AttemptId, Refusal),
    Unknown(AttemptId),
}

/// The agenda. What is due at the same instant happens in the order in which it was put in.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Duration, happening: Happening) {
        self.sequence += 1;
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, happening }));
    }

    /// The next thing, if it is due by then.
    pub(crate) fn pop_until(&mut self, until: Duration) -> Option<(Duration, Happening)> {
        self.heap.peek().filter(|Reverse(entry)| entry.at <= until)?;
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.happening))
    }

    /// The API servers are restarted: whatever is on its way to or from them is lost.
    pub(crate) fn drop_messages(&mut self) {
        self.heap.retain(|Reverse(entry)| {
            !matches!(
                entry.happening,
                Happening::Arrival(_) | Happening::Answer { .. } | Happening::Watch { .. }
            )
        });
    }

    /// Brings forward whatever message is still on its way: nothing takes longer than until `latest` any more.
    pub(crate) fn hasten_messages(&mut self, latest: Duration) {
        let entries = std::mem::take(&mut self.heap).into_iter().map(|Reverse(mut entry)| {
            if matches!(
                entry.happening,
                Happening::Arrival(_) | Happening::Answer { .. } | Happening::Watch { .. }
            ) {
                entry.at = entry.at.min(latest);
            }
            Reverse(entry)
        });
        self.heap = entries.collect();
    }
}

#[derive(Debug)]
struct Entry {
    at: Duration,
    sequence: u64,
    happening: Happening,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
