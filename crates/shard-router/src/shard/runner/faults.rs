//! The drain, left out. Only with the feature `mutants`; see [`crate::mutants`].

use std::sync::Arc;

use futures::future::Either;
use lease_core::Term;

use crate::{
    mutants::{Mutant, active},
    observability::records::HoldRecord,
};

/// Whether nobody waits for the reconciles that run.
pub(super) fn skips_drain() -> bool {
    active(Mutant::SkipDrain)
}

/// Leaves the future untracked, so the release does not wait for it.
pub(super) fn track<F: Future + Unpin>(term: &Term, future: F) -> impl Future<Output = F::Output> + use<F> {
    if active(Mutant::SkipDrain) { Either::Left(future) } else { Either::Right(term.track(future)) }
}

/// Lets the shard's reconciles run on after its end, with no record that says that their hold is over.
pub(super) fn run_on(record: Arc<HoldRecord>, controlling: impl Future<Output = ()> + Send + 'static) {
    std::mem::forget(record);
    drop(tokio::spawn(controlling));
}
