//! One continuous holding of one shard, with or without a Lease behind it.

use std::{future::Future, time::Duration};

use futures::future::{Either, FutureExt, pending};
use lease_core::{Now, Term, Tracked, Validity};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A holding: a term of a shard Lease, or (leader election off) the word of the operator's user that there is
/// exactly one replica.
#[derive(Clone)]
pub(crate) enum Hold {
    /// By a Lease.
    Elected(Term),
    /// Without one, until asked to stop.
    Sole(CancellationToken),
}

impl Hold {
    /// The Lease's name, or a word for its absence.
    pub(crate) fn lease(&self) -> &str {
        match self {
            Self::Elected(term) => term.lease().as_str(),
            Self::Sole(_) => "(no leader election)",
        }
    }

    /// The fencing token; 0 where there is no Lease to take it from.
    pub(crate) fn token(&self) -> u64 {
        match self {
            Self::Elected(term) => term.token().0,
            Self::Sole(_) => 0,
        }
    }

    /// What is left of the validity, by the clock as it reads now.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        match self {
            Self::Elected(term) => term.remaining(),
            Self::Sole(_) => Some(Duration::MAX),
        }
    }

    pub(crate) fn holds_at(&self, now: Now) -> bool {
        self.validity().is_none_or(|validity| validity.holds_at(now))
    }

    /// `None` where there is no end.
    pub(crate) fn validity(&self) -> Option<Validity> {
        match self {
            Self::Elected(term) => Some(term.validity()),
            Self::Sole(_) => None,
        }
    }

    /// When the request that began this hold was sent.
    pub(crate) fn sent(&self) -> Option<Now> {
        match self {
            Self::Elected(term) => Some(term.acquisition_sent()),
            Self::Sole(_) => None,
        }
    }

    /// See [`Term::write_begins`]. Without a Lease there is no release that would have to wait.
    pub(crate) fn write_begins(&self) -> bool {
        match self {
            Self::Elected(term) => term.write_begins(),
            Self::Sole(_) => true,
        }
    }

    /// See [`Term::write_ends`].
    pub(crate) fn write_ends(&self, answered: bool) {
        if let Self::Elected(term) = self {
            term.write_ends(answered);
        }
    }

    /// See [`Term::last_given_up`].
    pub(crate) fn last_given_up(&self) -> Option<Duration> {
        match self {
            Self::Elected(term) => term.last_given_up(),
            Self::Sole(_) => None,
        }
    }

    pub(crate) fn renewals(&self) -> Option<watch::Receiver<Validity>> {
        match self {
            Self::Elected(term) => Some(term.renewals()),
            Self::Sole(_) => None,
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        match self {
            Self::Elected(term) => term.is_draining(),
            Self::Sole(stop) => stop.is_cancelled(),
        }
    }

    /// Resolves when the intake is to close.
    pub(crate) async fn draining(&self) {
        match self {
            Self::Elected(term) => term.draining().await,
            Self::Sole(stop) => stop.cancelled().await,
        }
    }

    /// Resolves when validity is over.
    pub(crate) async fn over(&self) {
        match self {
            Self::Elected(term) => term.ended().await,
            Self::Sole(_) => pending().await,
        }
    }

    /// Keeps the Lease from being released while `work` exists.
    pub(crate) fn track<F: Future>(&self, work: F) -> Either<Tracked<F>, F> {
        match self {
            Self::Elected(term) => term.track(work).left_future(),
            Self::Sole(_) => work.right_future(),
        }
    }
}
