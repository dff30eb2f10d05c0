//! The settings of one candidate. Those that may change while it runs are changed by events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::identity::Identity;
use crate::timings::Timings;

/// What to do about a Lease that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Create it in nobody's name, and take it when it has expired like any other. Whoever held a Lease that someone
    /// deleted may still believe in it, and nobody can know whether there was one: an absence has no version, and
    /// between two looks that found none a Lease may have come and gone.
    AfterWaiting,
    /// Create it at once. For names that nobody else ever uses, such as one derived from the identity.
    AtOnce,
    /// Leave that to others, and wait for it to appear.
    Never,
}

/// How a Lease is given up once the work has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseStyle {
    /// Write an empty holder (ReleaseOnCancel): the next candidate takes it in milliseconds.
    Vacate,
    /// Delete it. For Leases of which no one is a successor.
    Delete,
    /// Leave it as it is, to expire (ReleaseOnCancel off).
    LetExpire,
}

/// Whom to wait for when a release names them as its successor. A name says only what the one who released knew: the
/// successor may be leaving itself, and then every moment left to it is one without a holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Successors {
    /// Whoever is named.
    #[default]
    Anyone,
    /// Those who are known to be there and to stay. Anyone else who is named is passed over.
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
    /// What to do where there is no Lease.
    pub creation: Creation,
    /// How to give the Lease up.
    pub release: ReleaseStyle,
    /// How long running work may take to finish when it is asked to, before it is aborted.
    pub drain_timeout: Duration,
    /// How long to leave a free Lease to others before taking it.
    pub acquire_delay: Duration,
    /// Whom to wait for, for RetryPeriod, when a release names them.
    pub successors: Successors,
    /// Whether to contend from the start.
    pub contend: bool,
}

impl ElectorConfig {
    /// Settings of an ordinary election.
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
        }
    }

    /// What to do where there is no Lease. Default: [`Creation::AfterWaiting`].
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// How to give the Lease up. Default: [`ReleaseStyle::Vacate`].
    #[must_use]
    pub fn release(mut self, release: ReleaseStyle) -> Self {
        self.release = release;
        self
    }

    /// How long running work may take to finish when it is asked to, before it is aborted. Default: 30 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// How long to leave a free Lease to others before taking it. Default: not at all.
    #[must_use]
    pub fn acquire_delay(mut self, delay: Duration) -> Self {
        self.acquire_delay = delay;
        self
    }

    /// Whom to wait for when a release names them. Default: [`Successors::Anyone`].
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
}
