//! Which buckets are worked on, and by which hold.
//!
//! A change of the layout takes buckets from a hold while the others run on. So what may begin is decided for each bucket, and what runs is counted for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{Stream, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use parking_lot::Mutex;
use tokio::sync::{Notify, futures::Notified};

use crate::routing::bucket::Bucket;

/// The reconciles that run in this process, by bucket and hold.
#[derive(Debug, Default)]
pub(crate) struct RunningBuckets {
    /// How many of them, by hold.
    counts: Mutex<BTreeMap<Bucket, BTreeMap<u64, usize>>>,
    ended: Notify,
}

impl RunningBuckets {
    /// Resolves when a reconcile has ended since this was called.
    pub(crate) fn ended(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// Whether a reconcile of one of these buckets runs under this hold.
    pub(crate) fn runs(&self, hold: u64, buckets: &BTreeSet<Bucket>) -> bool {
        let counts = self.counts.lock();
        buckets.iter().any(|bucket| counts.get(bucket).is_some_and(|holds| holds.contains_key(&hold)))
    }

    /// Whether a reconcile of the bucket runs under another hold than this.
    pub(crate) fn runs_elsewhere(&self, hold: u64, bucket: Bucket) -> bool {
        let counts = self.counts.lock();
        counts.get(&bucket).is_some_and(|holds| holds.keys().any(|other| *other != hold))
    }

    fn begin(self: &Arc<Self>, hold: u64, bucket: Bucket) -> BucketTicket {
        *self.counts.lock().entry(bucket).or_default().entry(hold).or_default() += 1;
        BucketTicket(Some(Counted { running: self.clone(), hold, bucket }))
    }
}

/// A reconcile that runs until this is dropped.
#[derive(Debug)]
pub(crate) struct BucketTicket(#[expect(dead_code, reason = "counts until it is dropped")] Option<Counted>);

#[derive(Debug)]
struct Counted {
    running: Arc<RunningBuckets>,
    hold: u64,
    bucket: Bucket,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.running.counts.lock();
        if let Some(holds) = counts.get_mut(&self.bucket) {
            if let Some(count) = holds.get_mut(&self.hold) {
                *count -= 1;
                if *count == 0 {
                    holds.remove(&self.hold);
                }
            }
            if holds.is_empty() {
                counts.remove(&self.bucket);
            }
        }
        drop(counts);
        self.running.ended.notify_waiters();
    }
}

/// The buckets that were started together under one hold: they have their watches, caches and fencing token in common. A bucket that is closed is never
/// opened again here, because the caches have not followed what others do with it.
///
/// The resources of a kind that is not sharded are in no bucket, and their group is never closed.
#[derive(Debug)]
pub(crate) struct BucketGroup {
    running: Arc<RunningBuckets>,
    hold: u64,
    label: Arc<str>,
    is_sharded: bool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeSet<Bucket>,
    aborted: BTreeSet<Bucket>,
}

impl BucketGroup {
    /// `label`: that which carries the bucket of an object.
    pub(crate) fn new(
        running: Arc<RunningBuckets>,
        hold: u64,
        label: Arc<str>,
        open: BTreeSet<Bucket>,
    ) -> Arc<Self> {
        let state = Mutex::new(State { open, ..State::default() });
        Arc::new(Self { running, hold, label, is_sharded: true, state, changed: Notify::new() })
    }

    /// The group of all that is not sharded.
    pub(crate) fn unsharded(label: Arc<str>) -> Arc<Self> {
        let (running, state, changed) = (Arc::default(), Mutex::default(), Notify::new());
        Arc::new(Self { running, hold: 0, label, is_sharded: false, state, changed })
    }

    /// The buckets that are open, ascending; `None` if nothing is sharded.
    pub(crate) fn open(&self) -> Option<Vec<Bucket>> {
        self.is_sharded.then(|| self.state.lock().open.iter().copied().collect())
    }

    /// Whether none is open any more.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_sharded && self.state.lock().open.is_empty()
    }

    /// Whether an object is in a bucket that is closed, according to its label.
    pub(crate) fn is_closed_to(&self, meta: &ObjectMeta) -> bool {
        let bucket = self.labelled(meta).filter(|_| self.is_sharded);
        bucket.is_some_and(|bucket| !self.state.lock().open.contains(&bucket))
    }

    /// Counts a reconcile of an object in this bucket as running, until the ticket is dropped; `None` if it must not begin. Closing and admitting use the same
    /// lock: what was admitted before is counted, and nothing is admitted afterwards.
    pub(crate) fn begin(&self, bucket: Option<Bucket>) -> Option<BucketTicket> {
        if !self.is_sharded {
            return Some(BucketTicket(None));
        }
        let state = self.state.lock();
        let bucket = bucket.filter(|bucket| state.open.contains(bucket))?;
        Some(self.running.begin(self.hold, bucket))
    }

    /// The same for something else that is done with an object, by its label.
    pub(crate) fn begin_by_label(&self, meta: &ObjectMeta) -> Option<BucketTicket> {
        self.begin(self.labelled(meta))
    }

    /// Closes the open buckets that are not to be kept, and returns them.
    pub(crate) fn close(&self, keep: impl Fn(Bucket) -> bool) -> BTreeSet<Bucket> {
        let closed: BTreeSet<Bucket> = {
            let mut state = self.state.lock();
            state.open.extract_if(.., |bucket| !keep(*bucket)).collect()
        };
        if !closed.is_empty() {
            self.changed.notify_waiters();
        }
        closed
    }

    /// Aborts the reconciles of these buckets that still run.
    pub(crate) fn abort(&self, buckets: &BTreeSet<Bucket>) {
        self.state.lock().aborted.extend(buckets);
        self.changed.notify_waiters();
    }

    /// Resolves when the bucket is closed.
    pub(crate) async fn closed(&self, bucket: Option<Bucket>) {
        self.until(|state| bucket.is_some_and(|bucket| !state.open.contains(&bucket))).await;
    }

    /// Resolves when reconciles of the bucket are to be aborted.
    pub(crate) async fn aborted(&self, bucket: Option<Bucket>) {
        self.until(|state| bucket.is_some_and(|bucket| state.aborted.contains(&bucket))).await;
    }

    /// An item after each closing of buckets, or after several. Never ends.
    pub(crate) fn closings(self: Arc<Self>) -> impl Stream<Item = ()> + Send + 'static {
        let open = self.state.lock().open.len();
        stream::unfold((self, open), |(group, before)| async move {
            group.until(|state| state.open.len() < before).await;
            let open = group.state.lock().open.len();
            Some(((), (group, open)))
        })
    }

    /// Resolves when no bucket is open any more.
    pub(crate) async fn emptied(&self) {
        self.until(|state| self.is_sharded && state.open.is_empty()).await;
    }

    fn labelled(&self, meta: &ObjectMeta) -> Option<Bucket> {
        Bucket::from_label(meta.labels.as_ref()?.get(&*self.label)?)
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            if holds(&self.state.lock()) {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn group(running: &Arc<RunningBuckets>, hold: u64, open: &[u8]) -> Arc<BucketGroup> {
        BucketGroup::new(running.clone(), hold, "b".into(), open.iter().copied().map(Bucket).collect())
    }

    #[test]
    fn nothing_begins_in_a_closed_bucket_and_what_runs_is_counted() {
        let running = Arc::new(RunningBuckets::default());
        let group = group(&running, 1, &[1, 2]);
        let ticket = group.begin(Some(Bucket(1))).unwrap();
        let closed = group.close(|bucket| bucket == Bucket(2));
        assert_eq!(closed, [Bucket(1)].into());
        assert!(
            group.begin(Some(Bucket(1))).is_none()
                && group.begin(Some(Bucket(2))).is_some()
                && group.begin(Some(Bucket(3))).is_none()
        );
        assert!(
            running.runs(1, &closed)
                && running.runs_elsewhere(2, Bucket(1))
                && !running.runs_elsewhere(1, Bucket(1))
        );
        let ended = running.ended();
        drop(ticket);
        assert!(ended.now_or_never().is_some());
        assert!(!running.runs(1, &closed) && running.counts.lock().is_empty());
    }

    #[test]
    fn a_group_is_told_what_happens_to_its_buckets() {
        let running = Arc::new(RunningBuckets::default());
        let group = group(&running, 1, &[1]);
        assert!(
            group.closed(Some(Bucket(1))).now_or_never().is_none()
                && group.emptied().now_or_never().is_none()
        );
        group.close(|_| false);
        assert!(
            group.closed(Some(Bucket(1))).now_or_never().is_some()
                && group.emptied().now_or_never().is_some()
        );
        assert!(group.aborted(Some(Bucket(1))).now_or_never().is_none());
        group.abort(&[Bucket(1)].into());
        assert!(group.aborted(Some(Bucket(1))).now_or_never().is_some());
    }

    #[test]
    fn the_group_of_all_that_is_not_sharded_is_never_closed() {
        let group = BucketGroup::unsharded("b".into());
        let labelled =
            ObjectMeta { labels: Some([("b".to_owned(), "7".to_owned())].into()), ..ObjectMeta::default() };
        assert!(group.open().is_none() && !group.is_empty());
        assert!(!group.is_closed_to(&labelled) && group.begin_by_label(&labelled).is_some());
        assert!(group.begin(None).is_some() && group.close(|_| false).is_empty());
        assert!(group.closed(None).now_or_never().is_none() && group.emptied().now_or_never().is_none());
        assert!(group.aborted(None).now_or_never().is_none());
    }
}
