//! The groups of a hold: buckets that were started together, with the work of each kind on them.

use std::{collections::BTreeSet, pin::pin, sync::Arc};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use lease_core::{Monotonic, Term};

use crate::{
    authority::buckets::BucketGroup,
    kinds::{Hold, Kind, Kinds},
    observability::records::HoldRecord,
    routing::{
        bucket::{Bucket, ShardId},
        part::Part,
    },
    setup::Setup,
    turns::Lane,
    watched::ReadMark,
};

/// Everything that runs under one hold.
pub(super) struct Groups {
    setup: Arc<Setup>,
    kinds: Vec<Arc<dyn Kind>>,
    part: Part,
    term: Term,
    /// Tells this hold from all others of the process.
    pub(super) hold: u64,
    /// How many reconciles may run at once is a matter of the shard and the kind, not of the group.
    lanes: Vec<Arc<Lane>>,
    working: Vec<Arc<BucketGroup>>,
    running: FuturesUnordered<BoxFuture<'static, Arc<BucketGroup>>>,
}

/// Since when a group may be worked on.
pub(super) struct Beginning {
    pub(super) record: Arc<HoldRecord>,
    /// Whether this record is of this group alone, so that nobody else writes down the renewals.
    pub(super) follows_renewals: bool,
    pub(super) since: Monotonic,
    /// Reads that are later than the last work of others on these buckets.
    pub(super) acquired: ReadMark,
}

impl Groups {
    pub(super) fn new(setup: &Arc<Setup>, kinds: &Kinds, shard: ShardId, term: &Term) -> Self {
        let part = Part::Shard(shard);
        let kinds = kinds.of(part);
        let lane = |_| setup.turns.lane(setup.options.concurrency_per_shard);
        Self {
            hold: setup.next_hold(),
            lanes: kinds.iter().map(lane).collect(),
            setup: setup.clone(),
            kinds,
            part,
            term: term.clone(),
            working: Vec::new(),
            running: FuturesUnordered::new(),
        }
    }

    /// Starts the work of all kinds on these buckets.
    pub(super) fn start(&mut self, buckets: BTreeSet<Bucket>, beginning: Beginning) {
        let (running, label) = (self.setup.running_buckets.clone(), self.setup.names.bucket_label());
        let group = BucketGroup::new(running, self.hold, label.into(), buckets);
        self.working.retain(|group| !group.is_empty());
        self.working.push(group.clone());
        // The Lease is held all the same if none of the kinds is sharded.
        if !self.kinds.is_empty() {
            self.running.push(self.work(group, beginning).boxed());
        }
    }

    /// Works on a group until all kinds have ended because it has lost its buckets or the term drains, or until one of them ends by itself.
    fn work(
        &self,
        group: Arc<BucketGroup>,
        beginning: Beginning,
    ) -> impl Future<Output = Arc<BucketGroup>> + use<> {
        let Beginning { record, follows_renewals, since, acquired } = beginning;
        let of_kind = |(kind, lane): (&Arc<dyn Kind>, &Arc<Lane>)| {
            let (progress, end) = kind.progress().track(self.part);
            let hold = Hold {
                part: self.part,
                term: self.term.clone(),
                record: record.clone(),
                since,
                acquired,
                progress,
                buckets: group.clone(),
                lane: lane.clone(),
            };
            let work = kind.clone().run(hold);
            async move {
                work.await;
                drop(end);
            }
        };
        let mut running: FuturesUnordered<_> = self.kinds.iter().zip(&self.lanes).map(of_kind).collect();
        let term = self.term.clone();
        async move {
            let mut renewals = pin!(record.follow_renewals());
            loop {
                let ended = tokio::select! {
                    ended = running.next() => ended,
                    () = &mut renewals, if follows_renewals => continue,
                };
                if ended.is_none() || !group.is_empty() && !term.is_draining() {
                    return group;
                }
            }
        }
    }

    /// Closes the open buckets that are not to be kept, and returns them.
    pub(super) fn close(&self, keep: impl Fn(Bucket) -> bool) -> BTreeSet<Bucket> {
        self.working.iter().flat_map(|group| group.close(&keep)).collect()
    }

    pub(super) fn abort(&self, buckets: &BTreeSet<Bucket>) {
        self.working.iter().for_each(|group| group.abort(buckets));
    }

    /// The buckets that are open.
    pub(super) fn open(&self) -> BTreeSet<Bucket> {
        self.working.iter().filter_map(|group| group.open()).flatten().collect()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Resolves when the work on one group has ended: `true` if that was to be expected, because the shard drains or has lost all buckets of the
    /// group. Never resolves if nothing runs.
    pub(super) async fn ended(&mut self) -> bool {
        if self.running.is_empty() {
            return std::future::pending().await;
        }
        let Some(group) = self.running.next().await else { return true };
        group.is_empty() || self.term.is_draining()
    }
}
