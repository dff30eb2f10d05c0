//! The settings of one candidate. Events change those that may change while it runs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::ended::EndedProcesses;
use crate::identity::Identity;
use crate::record::TimePrecision;
use crate::timings::Timings;

/// What to do if the Lease does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Create it with a placeholder as holder ([`NOBODY`](crate::NOBODY)), and take it when it has expired like any other. If somebody deleted
    /// the Lease, its former holder may still work, and there is no way to know whether there was one: an absence has no version, so
    /// between two reads that found nothing a Lease may have been created and deleted.
    AfterWaiting,
    /// Create and hold it at once. For names that no other process ever uses, such as one derived from the identity.
    AtOnce,
    /// Do not create it; wait until another process does.
    Never,
}

/// How the Lease is given up after the work has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseStyle {
    /// Write an empty holder (ReleaseOnCancel): the next candidate takes it in milliseconds.
    Vacate,
    /// Delete it. For Leases that no other process will ever take over.
    Delete,
    /// Leave it as it is, so that it expires (ReleaseOnCancel off).
    LetExpire,
}

/// Which successors to wait for when a release names one. The releasing process may not know that its successor is
/// shutting down too. Waiting for such a successor leaves the Lease without a holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Successors {
    /// Any successor.
    #[default]
    Anyone,
    /// Only these, which are known to be running and not to be shutting down. Any other successor is ignored.
    Among(Arc<BTreeSet<Identity>>),
}

impl Successors {
    pub(crate) fn expect(&self, named: &Identity) -> bool {
        match self {
            Self::Anyone => true,
            Self::Among(known) => known.contains(named),
        }
    }
}

/// The settings of one [`Elector`](crate::Elector).
///
/// Events change some of them later: [`Contend`](crate::Event::Contend), [`AcquireDelay`](crate::Event::AcquireDelay) and
/// [`Successors`](crate::Event::Successors).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ElectorConfig {
    /// holderIdentity of this process.
    pub identity: Identity,
    /// LeaseDuration, RenewDeadline, RetryPeriod.
    pub timings: Timings,
    /// What to do if the Lease does not exist.
    pub creation: Creation,
    /// How to give up the Lease.
    pub release: ReleaseStyle,
    /// How long the work may take to finish after it was asked to; then it is aborted.
    pub drain_timeout: Duration,
    /// How long to leave a free Lease to other candidates before taking it.
    pub acquire_delay: Duration,
    /// Which successors to wait for, for RetryPeriod, when a release names one.
    pub successors: Successors,
    /// Whether to contend from the start.
    pub contend: bool,
    /// Where in RetryPeriod the Lease is renewed; `None` for RetryPeriod after the last write.
    pub renewal_phase: Option<Duration>,
    /// How precise the times of the record are.
    pub time_precision: TimePrecision,
    /// Processes that are proven to have ended: their Leases need not expire.
    pub ended: EndedProcesses,
}

impl ElectorConfig {
    /// The settings of an ordinary election; see each setter for its default.
    pub fn new(identity: Identity, timings: Timings) -> Self {
        Self {
            identity,
            timings,
            creation: Creation::AfterWaiting,
            release: ReleaseStyle::Vacate,
            drain_timeout: Duration::from_secs(30),
            acquire_delay: Duration::ZERO,
            successors: Successors::Anyone,
            contend: true,
            renewal_phase: None,
            time_precision: TimePrecision::Microseconds,
            ended: EndedProcesses::default(),
        }
    }

    /// What to do if the Lease does not exist. Default: [`Creation::AfterWaiting`].
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// How to give up the Lease. Default: [`ReleaseStyle::Vacate`].
    #[must_use]
    pub fn release(mut self, release: ReleaseStyle) -> Self {
        self.release = release;
        self
    }

    /// How long the work may take to finish after it was asked to; then it is aborted. Default: 30 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// How long to leave a free Lease to other candidates before taking it. Default: zero.
    #[must_use]
    pub fn acquire_delay(mut self, delay: Duration) -> Self {
        self.acquire_delay = delay;
        self
    }

    /// Which successors to wait for when a release names one. Default: [`Successors::Anyone`].
    #[must_use]
    pub fn successors(mut self, successors: Successors) -> Self {
        self.successors = successors;
        self
    }

    /// Whether to contend from the start. Default: yes.
    #[must_use]
    pub fn contend(mut self, contend: bool) -> Self {
        self.contend = contend;
        self
    }

    /// Renews the Lease at instants that lie a multiple of RetryPeriod after this one on `CLOCK_MONOTONIC`. A process that holds many Leases
    /// gives them the same phase: they are renewed together, which costs everyone who watches them less than the same number of
    /// renewals one by one. Processes should have different phases. Default: none; a Lease is renewed RetryPeriod after the last write.
    #[must_use]
    pub fn renewal_phase(mut self, phase: Duration) -> Self {
        self.renewal_phase = Some(phase);
        self
    }

    /// How precise the times of the record are. renewTime grows by at least this much with each write, so it runs ahead of the wall clock while there are more
    /// writes than that. Default: [`TimePrecision::Microseconds`].
    #[must_use]
    pub fn time_precision(mut self, precision: TimePrecision) -> Self {
        self.time_precision = precision;
        self
    }

    /// Processes that are proven to have ended. A Lease that one of them holds is taken when nothing of that process can be on its way any more,
    /// instead of when it expires. Default: none.
    #[must_use]
    pub fn ended(mut self, ended: EndedProcesses) -> Self {
        self.ended = ended;
        self
    }
}
