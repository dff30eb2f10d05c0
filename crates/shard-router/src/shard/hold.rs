//! The work of a Lease: what happens between its acquisition and its release, for all kinds that it stands for, across changes of the layout.

mod groups;
mod lost;
mod steps;
mod unsharded;

use std::{pin::pin, sync::Arc};

use lease_core::Term;

use self::steps::{ShardWork, Step};
pub(crate) use self::unsharded::run as unsharded;
use crate::{
    kinds::Kinds,
    membership::acknowledgement::LeaseAcknowledgement,
    observability::records::{HoldFacts, HoldRecord},
    routing::{bucket::ShardId, part::Part},
    setup::Setup,
};

/// One hold of one shard.
pub(crate) struct ShardHold {
    pub(crate) setup: Arc<Setup>,
    pub(crate) kinds: Kinds,
    pub(crate) shard: ShardId,
    pub(crate) term: Term,
    /// What its Lease says; `None` without leader election, where the layout does not change.
    pub(crate) acknowledgement: Option<Arc<LeaseAcknowledgement>>,
}

/// Runs a shard for as long as it is held, or until it has drained. Cancelled by being dropped.
///
/// `confirmed` is awaited before anything starts; `false` gives the shard up.
pub(crate) async fn run(hold: ShardHold, confirmed: impl Future<Output = bool> + Send) {
    let ShardHold { setup, kinds, shard, term, .. } = &hold;
    let part = Part::Shard(*shard);
    let facts = HoldFacts { lease: term.lease().to_string(), part, token: term.token().0 };
    let sent = term.acquisition_sent();
    let record = HoldRecord::begin(setup.recorder.clone(), facts, term.clone(), sent);
    // A replica that waits for the confirmation, or for the buckets of other shards, does not work.
    let waiting: Vec<_> = kinds.of(part).iter().map(|kind| kind.progress().track(part)).collect();
    let mut waiting = Some(waiting);
    let mut news = setup.layouts.subscribe();
    let mut rows = setup.ownership.news();
    let mut work = ShardWork::new(&hold, record.clone());
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
    loop {
        // From here on, so that no end of a reconcile is missed.
        let ended = setup.running_buckets.ended();
        let state = news.borrow_and_update().clone();
        rows.seen();
        work.follow(&state);
        if work.has_begun(&state) {
            waiting = None;
        }
        tokio::select! {
            step = work.step() => match step {
                Step::Continue => {}
                // The work of one kind has ended by itself, which it has logged. Everything is started anew with the next hold.
                Step::Ended => break,
            },
            () = ended, if work.waits_for_reconciles() => {}
            Ok(()) = news.changed() => {}
            () = rows.changed() => {}
            () = &mut renewals => return,
        }
    }
    drop(waiting);
}
