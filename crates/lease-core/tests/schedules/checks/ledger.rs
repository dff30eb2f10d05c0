//! What the checks remember.

use std::collections::BTreeMap;
use std::time::Duration;

use lease_core::{
    AttemptId, Event, FencingToken, Identity, Monotonic, ObservedLease, ResourceVersion, Validity,
};

use crate::world::rewind::Proofs;

/// What is remembered across all nodes.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    pub(super) last_token: Option<FencingToken>,
    pub(super) calm_since: Option<Duration>,
    pub(super) settled: Option<Settled>,
}

/// How things stood when the bound after the last fault had passed.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) leader: usize,
    pub(super) since: Duration,
    pub(super) requests: Vec<u64>,
}

/// What is remembered of one process.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) since: Duration,
    pub(crate) requests: u64,
    /// The version that its last accepted write left behind.
    pub(super) landed: Option<u64>,
    /// The newest version that it was shown in which somebody else holds the Lease, or nobody.
    pub(super) shown_other: u64,
    pub(super) most_transitions: Option<u32>,
    /// The version of the acquisition that began its term.
    pub(super) token: u64,
    /// When its writes were sent, on its monotonic clock, and when the last of those that landed was.
    pub(super) sent: BTreeMap<AttemptId, Monotonic>,
    pub(super) last_sent: Monotonic,
    /// Its validity after the last event.
    pub(super) validity: Option<Validity>,
    /// Events that entitle it to a request.
    pub(super) news: u32,
    pub(crate) proofs: Proofs,
    /// Its term began in a history that is gone, and this is the version that it knew of it: to renew upon one that is not above is to
    /// go on against the proof. Once somebody has written more into the Lease than was lost, nothing proves it any more.
    pub(super) owes_end: Option<ResourceVersion>,
}

impl Watcher {
    pub(crate) fn become_calm(&mut self, at: Duration) {
        self.calm_since = Some(at);
    }

    /// etcd was restored: tokens begin anew, lower than some of before.
    pub(crate) fn history_is_gone(&mut self) {
        self.last_token = None;
    }
}

impl Ledger {
    pub(crate) fn new(since: Duration) -> Self {
        Self { since, ..Self::default() }
    }

    /// etcd was restored: nothing that it saw counts against it. `owes_end`: what it knows, if it holds a term and that was after the
    /// backup.
    pub(crate) fn history_is_gone(&mut self, owes_end: Option<ResourceVersion>) {
        self.shown_other = 0;
        self.owes_end = owes_end;
    }

    /// It has proved that history was rewound, by the version that it read or wrote. A process that was stopped at the restore may have been shown states of the history
    /// that is gone afterwards, with larger versions; these do not count any more. Whether a write was the proof.
    pub(crate) fn proves_rewind(&mut self, read: ResourceVersion) -> bool {
        self.shown_other = self.shown_other.min(read.0);
        self.proofs.proved()
    }

    /// An event is about to be handed over.
    pub(crate) fn observe(&mut self, event: &Event, identity: &Identity) {
        let answer = matches!(
            event,
            Event::Read(_)
                | Event::ReadFailed { .. }
                | Event::WriteLanded(..)
                | Event::WriteRefused(..)
                | Event::WriteUnknown(_)
        );
        if !answer && !matches!(event, Event::Timeout | Event::Unanswered { .. }) {
            self.news += 1;
        }
        let (Event::Watched(lease) | Event::Read(Some(lease)) | Event::WriteLanded(_, Some(lease))) = event
        else {
            return;
        };
        self.proofs.observe(event, lease);
        // A Lease in nobody's name carries the number of the holder to come.
        let unused = u32::from(lease.record.is_reserved());
        self.most_transitions = self.most_transitions.max(lease.record.transitions.checked_sub(unused));
        if !lease.record.is_held_by(identity) {
            self.shown_other = self.shown_other.max(lease.revision.version.0);
        }
    }

    /// The answer to a read is about to be handed over.
    pub(crate) fn reads(&mut self, version: u64, lease: Option<&ObservedLease>) {
        if lease.is_none() {
            self.shown_other = self.shown_other.max(version);
        }
    }
}
