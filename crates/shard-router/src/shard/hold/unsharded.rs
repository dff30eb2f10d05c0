//! The work that belongs to the coordinator Lease: the kinds that are not sharded. Changes of the layout do not concern it.

use std::{pin::pin, sync::Arc};

use futures::{StreamExt, stream::FuturesUnordered};
use lease_core::Term;

use crate::{
    authority::buckets::BucketGroup,
    kinds::{Hold, Kinds},
    observability::records::{HoldFacts, HoldRecord},
    routing::part::Part,
    setup::Setup,
};

/// Works on the kinds that are not sharded for as long as the term lasts, or until they have drained. Cancelled by being dropped.
///
/// `confirmed` is awaited before anything starts; `false` gives them up.
pub(crate) async fn run(
    setup: Arc<Setup>,
    kinds: Kinds,
    term: Term,
    confirmed: impl Future<Output = bool> + Send,
) {
    let part = Part::Unsharded;
    let kinds = kinds.of(part);
    if kinds.is_empty() {
        return term.draining().await;
    }
    let facts = HoldFacts { lease: term.lease().to_string(), part, token: term.token().0 };
    let sent = term.acquisition_sent();
    let record = HoldRecord::begin(setup.recorder.clone(), facts, term.clone(), sent);
    let since = setup.clock.now().monotonic;
    let acquired = setup.watched.mark();
    let buckets = BucketGroup::unsharded(setup.names.bucket_label().into());
    let (holds, _ends): (Vec<_>, Vec<_>) = kinds
        .iter()
        .map(|kind| {
            let (progress, end) = kind.progress().track(part);
            let hold = Hold {
                part,
                term: term.clone(),
                record: record.clone(),
                since,
                acquired,
                progress,
                buckets: buckets.clone(),
                lane: setup.turns.lane(setup.options.concurrency_per_shard),
            };
            ((kind.clone(), hold), end)
        })
        .unzip();
    // One for the whole hold, so that no renewal is missed.
    let mut renewals = pin!(record.follow_renewals());
    let confirmed = tokio::select! {
        biased;
        // A drain before the start has nothing to wait for.
        () = term.draining() => return,
        () = &mut renewals => return,
        confirmed = confirmed => confirmed,
    };
    if !confirmed {
        return;
    }
    let mut running: FuturesUnordered<_> = holds.into_iter().map(|(kind, hold)| kind.run(hold)).collect();
    loop {
        let ended = tokio::select! {
            ended = running.next() => ended,
            () = &mut renewals => return,
        };
        match ended {
            // Each kind drains by itself, and the last one that has drained ends the work.
            Some(()) if term.is_draining() => {}
            // The work of one kind has ended by itself, which it has logged. Everything is started anew with the next hold.
            Some(()) | None => break,
        }
    }
}
