//! The work of a Lease: what happens between its acquisition and its release, for all kinds that it stands for.

use std::sync::Arc;

use futures::{StreamExt, stream::FuturesUnordered};
use lease_core::Term;

use crate::{
    kinds::{Hold, Kinds},
    observability::records::{HoldFacts, HoldRecord},
    routing::part::Part,
    setup::Setup,
};

/// Runs a part of the work for as long as it is held, or until it has drained. Cancelled by being dropped.
///
/// `confirmed` is awaited before anything starts; `false` gives the part up.
pub(crate) async fn run(
    setup: Arc<Setup>,
    kinds: Kinds,
    part: Part,
    term: Term,
    confirmed: impl Future<Output = bool> + Send,
) {
    let kinds = kinds.of(part);
    if kinds.is_empty() {
        // A Lease that stands for no work is held all the same: its candidate would acquire it again at once.
        return term.draining().await;
    }
    let facts = HoldFacts { lease: term.lease().to_string(), part, token: term.token().0 };
    let record = HoldRecord::begin(setup.recorder.clone(), facts, term.clone());
    let since = setup.clock.now().monotonic;
    let acquired = setup.watched.mark();
    let (holds, _ends): (Vec<_>, Vec<_>) = kinds
        .iter()
        .map(|kind| {
            let (progress, end) = kind.progress().track(part);
            let hold = Hold { part, term: term.clone(), record: record.clone(), since, acquired, progress };
            ((kind.clone(), hold), end)
        })
        .unzip();
    let confirmed = tokio::select! {
        biased;
        // A drain before the start has nothing to wait for.
        () = term.draining() => return,
        () = record.follow_renewals() => return,
        confirmed = confirmed => confirmed,
    };
    if !confirmed {
        return;
    }
    let mut running: FuturesUnordered<_> = holds.into_iter().map(|(kind, hold)| kind.run(hold)).collect();
    loop {
        let ended = tokio::select! {
            ended = running.next() => ended,
            () = record.follow_renewals() => return,
        };
        match ended {
            // Each kind drains by itself, and the last one that has drained ends the work.
            Some(()) if term.is_draining() => {}
            // The work of one kind has ended by itself, which it has logged. Everything is started anew with the next hold.
            Some(()) | None => break,
        }
    }
}
