//! What a shard's reflector reports.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::BoxFuture;
use kube::{Resource, core::ObjectMeta};

use crate::{
    authority::buckets::BucketGroup,
    caches::{Caches, FirstLists},
    news::News,
    reconciler::Reconciler,
    routing::part::Part,
    setup::KindSetup,
    shard::{reconcile::failures::Failures, reflect::Observer, tracker::Tracker, warm_up::WarmUp},
    sharded::{Eligibility, ShardedObject, cr_name_of},
    turns::Lane,
    watch::lenient::Lenient,
};

/// The receiver of the reports of a shard's reflector.
pub(super) struct ShardObserver<K: ShardedObject, R: Reconciler<K>> {
    pub(super) kind: Arc<KindSetup<K, R>>,
    pub(super) part: Part,
    pub(super) tracker: Arc<Tracker>,
    pub(super) failures: Arc<Failures>,
    pub(super) warm_up: Arc<WarmUp>,
    pub(super) news: Arc<News<K>>,
    pub(super) caches: Arc<Caches>,
    pub(super) lane: Arc<Lane>,
    pub(super) buckets: Arc<BucketGroup>,
    /// How many resources of this part the metric counts.
    pub(super) shown: AtomicUsize,
}

impl<K: ShardedObject, R: Reconciler<K>> Observer<K> for ShardObserver<K, R> {
    fn eligibility(&self, object: &Lenient<K>) -> Eligibility {
        let setup = &self.kind.setup;
        if let Some(line) = self.kind.kind.misdeclared(object.meta())
            && let Some(withheld) = setup.log_limit.due(&line, setup.clock.now().monotonic)
        {
            tracing::error!(withheld, "{line}");
        }
        self.kind.eligibility(object.meta(), object.recorded_bucket())
    }

    fn is_given_away(&self, object: &ObjectMeta) -> bool {
        self.buckets.is_closed_to(object)
    }

    fn shown(&self, watch: usize, version: Option<&str>) {
        self.caches.shown(watch, version);
    }

    fn list_begins(&self, watch: usize) {
        self.caches.list_begins(watch);
    }

    fn list_brings(&self, watch: usize, version: Option<&str>) {
        self.caches.listed(watch, version);
    }

    fn list_ends(&self, watch: usize) {
        self.caches.list_ends(watch);
    }

    fn listed(&self, objects: usize) {
        self.warm_up.listed(objects);
    }

    fn cached(&self, objects: usize) {
        let before = self.shown.swap(objects, Ordering::Relaxed);
        self.kind.metrics.objects(self.part, before, objects);
    }

    fn uncached(&self, object: &ObjectMeta) {
        self.lane.forget(&cr_name_of(object));
        if let Some(uid) = &object.uid {
            self.failures.forget(uid);
            self.news.forget(uid);
        }
    }

    fn left(&self, object: &ObjectMeta) {
        #[cfg(feature = "mutants")]
        crate::caches::clean_up::after(
            self.kind.owned.iter().map(|owned| &owned.clean_up),
            &self.kind.setup.clients.ungated(),
            object,
        );
        self.caches.forget(&cr_name_of(object));
        if let Some(uid) = &object.uid {
            self.tracker.forget(uid);
            self.kind.applier.forget(uid);
        }
    }

    fn list_failed(&self) {
        self.warm_up.failed();
    }

    fn may_list(&self) -> BoxFuture<'static, ()> {
        self.warm_up.clone().may_list()
    }
}

impl<K: ShardedObject, R: Reconciler<K>> Drop for ShardObserver<K, R> {
    /// The cache ends with the reflector.
    fn drop(&mut self) {
        self.kind.metrics.objects(self.part, self.shown.load(Ordering::Relaxed), 0);
    }
}
