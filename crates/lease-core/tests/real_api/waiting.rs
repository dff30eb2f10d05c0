//! Waiting for what candidates see and do, with a deadline that names it.

use std::time::Duration;

use lease_core::{Candidate, CandidateStatus, Term};
use tokio::time::timeout;

use crate::support::{DEADLINE, now};

/// What a busy machine may add to a bound.
pub(crate) const MARGIN: Duration = Duration::from_secs(2);

/// Work that does nothing until it is asked to stop.
pub(crate) async fn idle(term: Term) {
    term.draining().await;
}

/// Waits for a status; panics with `what` if it does not come.
pub(crate) async fn sees(candidate: &Candidate, what: &str, holds: impl FnMut(&CandidateStatus) -> bool) {
    let mut status = candidate.status();
    let last = candidate.status();
    let waited = timeout(DEADLINE, status.wait_for(holds)).await;
    assert!(
        matches!(waited, Ok(Ok(_))),
        "after {DEADLINE:?} it was not true that {what}; it is at {:?}",
        last.borrow()
    );
}

/// Waits until this candidate sees that somebody holds the Lease.
pub(crate) async fn sees_holder(candidate: &Candidate, holder: &str) {
    let what = format!("{holder} is seen to hold {}", candidate.lease());
    sees(candidate, &what, |seen| seen.holder.as_ref().is_some_and(|known| known.as_str() == holder)).await;
}

pub(crate) async fn leads(candidate: &Candidate, what: &str) -> Term {
    timeout(DEADLINE, candidate.leading()).await.unwrap_or_else(|_| {
        panic!("after {DEADLINE:?} it was not true that {what}; it is at {:?}", candidate.status().borrow())
    })
}

/// Waits for the end of a term; returns when it was seen.
pub(crate) async fn over(term: &Term, what: &str) -> Duration {
    timeout(DEADLINE, term.ended())
        .await
        .unwrap_or_else(|_| panic!("after {DEADLINE:?} it was not true that {what}"));
    now()
}
