//! The kinds that an operator reconciles, whatever their types: what a replica asks of each.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use kube::Client;
use lease_core::{Monotonic, Term};

use crate::{
    authority::buckets::BucketGroup,
    observability::{
        problem::Problem,
        progress::{Progress, Stall, TermProgress, WorkStatus},
        records::HoldRecord,
    },
    routing::{bucket::Bucket, kind_set::KindMode, part::Part},
    stamper::BeforeRecording,
    turns::Lane,
    watched::ReadMark,
};

/// One kind that the operator reconciles.
pub(crate) trait Kind: Send + Sync {
    /// Whether it is sharded.
    fn mode(&self) -> KindMode;

    /// Whether its resources are worked on in what is held.
    fn progress(&self) -> &Arc<Progress>;

    /// What is wrong with its custom resource definition, so that stamps fail.
    fn definition(&self) -> &Problem;

    /// Works on its resources in one part of the work, for as long as that is held or until it has drained. Cancelled by being dropped.
    fn run(self: Arc<Self>, hold: Hold) -> BoxFuture<'static, ()>;

    /// Stamps its resources through `client`, each after `delay`. Never ends. Does nothing if it is not sharded.
    fn stamp(
        &self,
        client: Client,
        delay: Duration,
        before_recording: Option<BeforeRecording>,
    ) -> BoxFuture<'_, ()>;

    /// Forwards triggers from outside to the shards that are held. Never ends by itself.
    fn forward_triggers(&self) -> BoxFuture<'_, ()>;

    /// Whether its resources can be listed, and each type that they own or depend on. Waits for the answers without a limit.
    fn can_list(&self) -> BoxFuture<'_, bool>;

    /// The answer to a dry run of a write to some resource in one of these buckets, which changes nothing; `None` if there is no such resource.
    fn dry_run<'a>(
        &'a self,
        buckets: &'a [Bucket],
    ) -> BoxFuture<'a, Option<(Bucket, Result<(), kube::Error>)>>;
}

/// One group of buckets of a hold, or a hold of all that is not sharded, as the work of one kind gets it.
pub(crate) struct Hold {
    pub(crate) part: Part,
    pub(crate) term: Term,
    pub(crate) record: Arc<HoldRecord>,
    pub(crate) since: Monotonic,
    /// Reads that are later than the acquisition, or than the last work of another shard on these buckets.
    pub(crate) acquired: ReadMark,
    pub(crate) progress: Arc<TermProgress>,
    pub(crate) buckets: Arc<BucketGroup>,
    /// That of the shard.
    pub(crate) lane: Arc<Lane>,
}

/// All kinds of one operator. The first is named first where one of several problems is reported.
#[derive(Clone)]
pub(crate) struct Kinds(Arc<[Arc<dyn Kind>]>);

impl Kinds {
    pub(crate) fn new(kinds: Vec<Arc<dyn Kind>>) -> Self {
        Self(kinds.into())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Kind>> {
        self.0.iter()
    }

    /// The kinds of which this is a part of the work.
    pub(crate) fn of(&self, part: Part) -> Vec<Arc<dyn Kind>> {
        self.iter().filter(|kind| kind.mode() == part.mode()).cloned().collect()
    }

    /// What is wrong with a custom resource definition.
    pub(crate) fn definition_problem(&self) -> Option<String> {
        self.iter().find_map(|kind| kind.definition().get())
    }

    /// What is held and not wholly worked on, the longest first.
    pub(crate) fn stalls(&self) -> Vec<Stall> {
        let mut stalls: Vec<Stall> = self.iter().flat_map(|kind| kind.progress().stalls()).collect();
        stalls.sort_by_key(|stall| std::cmp::Reverse(stall.lasted));
        stalls
    }

    /// In one sentence, what has been held for longer than `threshold` without being worked on.
    pub(crate) fn stall_sentence(&self, threshold: Duration) -> Option<String> {
        self.iter().find_map(|kind| kind.progress().sentence(threshold))
    }

    /// Whether this replica works, by the shards that it has held for longer than `threshold`. A kind that fails holds up itself alone, so one
    /// kind that is worked on is enough. A kind that is not sharded counts on the replica that holds it.
    pub(crate) fn work(&self, threshold: Duration) -> WorkStatus {
        let counts = |kind: &&Arc<dyn Kind>| kind.mode() == KindMode::Sharded || kind.progress().is_held();
        let mut all = self.iter().filter(counts).map(|kind| kind.progress().work(threshold));
        let first = all.next().unwrap_or(WorkStatus::Unknown);
        all.fold(first, WorkStatus::or)
    }

    /// Whether all of them can be listed, with what they own.
    pub(crate) async fn can_list(&self) -> bool {
        join_all(self.iter().map(|kind| kind.can_list())).await.into_iter().all(|listed| listed)
    }

    /// The answer to a dry run of a write to some resource of a sharded kind in one of these buckets; `None` if there is no such resource.
    pub(crate) async fn dry_run(&self, buckets: &[Bucket]) -> Option<(Bucket, Result<(), kube::Error>)> {
        if buckets.is_empty() {
            return None;
        }
        for kind in self.iter().filter(|kind| kind.mode() == KindMode::Sharded) {
            let answer = kind.dry_run(buckets).await;
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    /// Forwards triggers from outside to the shards that are held. Never ends.
    pub(crate) async fn forward_triggers(&self) {
        join_all(self.iter().map(|kind| kind.forward_triggers())).await;
    }

    /// Stamps the resources of all kinds. Never ends.
    pub(crate) async fn stamp(
        &self,
        client: &Client,
        delay: Duration,
        before_recording: Option<&BeforeRecording>,
    ) {
        join_all(self.iter().map(|kind| kind.stamp(client.clone(), delay, before_recording.cloned()))).await;
    }
}
