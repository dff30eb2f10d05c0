//! Requests in progress, and writes whose result is unknown.

use crate::effect::{AttemptId, Write, WriteKind};
use crate::record::LeaseRecord;
use crate::revision::{Revision, Uid};
use crate::time::Now;

/// A write that may be applied, or may have been.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) id: AttemptId,
    pub(super) kind: WriteKind,
    pub(super) record: LeaseRecord,
    pub(super) sent: Now,
    /// Whether it creates the Lease. If not, it can only be applied to the state that it names.
    pub(super) creates: bool,
    /// The latest state of the Lease that had been seen when it was sent.
    pub(super) known: Option<Revision>,
}

impl Attempt {
    /// Whether this attempt wrote this record. The identity is unique to the process, and renewTime
    /// grows with each of its writes, so the two together identify an attempt.
    fn wrote(&self, record: &LeaseRecord) -> bool {
        self.record.holder == record.holder && self.record.renew_time == record.renew_time
    }
}

#[derive(Debug, Default)]
enum Request {
    #[default]
    None,
    Read(Asked),
    Write(Attempt),
    /// A request that was sent before history was rewound. Its answer may describe a state that no longer exists, and is ignored.
    Void,
}

/// What was known when a read was sent.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The object that had been seen, if there was one.
    pub(super) about: Option<Uid>,
    /// The latest state of the Lease that had been seen, even if the Lease was deleted afterwards.
    pub(super) latest: Option<Revision>,
}

/// The request in progress (at most one), and unanswered writes until they have been applied or cannot be applied any more.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    last_id: u64,
    request: Request,
    doubtful: Vec<Attempt>,
}

impl Attempts {
    pub(super) fn next_id(&mut self) -> AttemptId {
        self.last_id += 1;
        AttemptId(self.last_id)
    }

    pub(super) fn outstanding(&self) -> bool {
        !matches!(self.request, Request::None)
    }

    pub(super) fn begin_read(&mut self, asked: Asked) {
        self.request = Request::Read(asked);
    }

    /// Ends the read whose answer has arrived. Returns what was known when it was sent, or `None` if the read is void.
    pub(super) fn end_read(&mut self) -> Option<Asked> {
        match std::mem::take(&mut self.request) {
            Request::Read(asked) => Some(asked),
            Request::Void => None,
            other => {
                self.request = other;
                Some(Asked::default())
            }
        }
    }

    pub(super) fn begin_write(&mut self, write: &Write, known: Option<Revision>, sent: Now) {
        self.request = Request::Write(Attempt {
            id: write.attempt,
            kind: write.kind,
            record: write.record.clone(),
            sent,
            creates: write.base.is_none(),
            known,
        });
    }

    /// Ends the write whose answer has arrived. Returns `None` if the watch has shown its result already, or if it is void.
    pub(super) fn end_write(&mut self, id: AttemptId) -> Option<Attempt> {
        match std::mem::take(&mut self.request) {
            Request::Write(attempt) if attempt.id == id => Some(attempt),
            Request::Void => None,
            other => {
                self.request = other;
                None
            }
        }
    }

    /// Keeps a write whose answer was lost.
    pub(super) fn doubt(&mut self, attempt: Attempt) {
        self.doubtful.push(attempt);
    }

    /// The attempt of this process that wrote this record, if there is one. No other unanswered write can be applied any more, because it
    /// names a state that is no longer current.
    pub(super) fn recognise(&mut self, record: &LeaseRecord) -> Option<Attempt> {
        if let Request::Write(attempt) = &self.request
            && attempt.wrote(record)
        {
            let attempt = attempt.clone();
            self.request = Request::None;
            self.doubtful.clear();
            return Some(attempt);
        }
        let found = self.doubtful.iter().position(|attempt| attempt.wrote(record));
        let found = found.map(|index| self.doubtful.swap_remove(index));
        self.doubtful.clear();
        found
    }

    /// A later write of this process was applied, so earlier unanswered writes cannot be applied any more.
    pub(super) fn settle(&mut self) {
        self.doubtful.clear();
    }

    /// History was rewound: neither pending answers nor unanswered writes count any more.
    pub(super) fn void(&mut self) {
        self.doubtful.clear();
        if self.outstanding() {
            self.request = Request::Void;
        }
    }

    /// Drops unanswered writes that would be too old to count even if they were applied.
    pub(super) fn forget(&mut self, counts: impl Fn(&Attempt) -> bool) {
        self.doubtful.retain(counts);
    }
}

#[cfg(feature = "mutants")]
impl Attempts {
    /// Whether this is the write in progress.
    pub(super) fn is_under_way(&self, id: AttemptId) -> bool {
        matches!(&self.request, Request::Write(attempt) if attempt.id == id)
    }

    /// Whether the write in progress has the same kind as an unanswered one.
    pub(super) fn repeats_one_in_doubt(&self, id: AttemptId) -> bool {
        let Request::Write(write) = &self.request else { return false };
        write.id == id && self.doubtful.iter().any(|attempt| attempt.kind == write.kind)
    }
}
