//! What a reflector is given: its watches, and where it reports to.

use futures::future::BoxFuture;
use kube::{Api, core::ObjectMeta};
use tokio::sync::mpsc;

use crate::{
    sharded::Eligibility,
    stamper::Change,
    watch::{backoff::WatchBackoff, lenient::Lenient},
};

/// What a reflector asks of its shard, and reports to it.
pub(crate) trait Observer<K>: Send + Sync + 'static {
    /// The `watch`th watch has shown an object of this version, and the store is as new.
    fn shown(&self, watch: usize, version: Option<&str>);
    /// It begins a list.
    fn list_begins(&self, watch: usize);
    /// That list has brought an object of this version.
    fn list_brings(&self, watch: usize, version: Option<&str>);
    /// That list is complete, and in the store unless those of other watches are awaited.
    fn list_ends(&self, watch: usize);
    /// Whether the object may be reconciled.
    fn eligibility(&self, object: &Lenient<K>) -> Eligibility;
    /// Whether its bucket has gone to another shard since the watch began.
    fn is_given_away(&self, object: &ObjectMeta) -> bool;
    /// Complete lists are in the store: the first time, this is the takeover barrier.
    fn listed(&self, objects: usize);
    /// So many objects are in the store now.
    fn cached(&self, objects: usize);
    /// The object is not in the store any more: it left the watch, or is not to be reconciled as it stands.
    fn uncached(&self, object: &ObjectMeta);
    /// The object left the watch.
    fn left(&self, object: &ObjectMeta);
    /// A list has failed, before all of them were complete once.
    fn list_failed(&self);
    /// Resolves when a list that failed may be asked for again.
    fn may_list(&self) -> BoxFuture<'static, ()>;
}

/// What a reflector watches: one of these, or one for each namespace.
pub(crate) struct Watch<K> {
    pub(crate) api: Api<Lenient<K>>,
    pub(crate) backoff: WatchBackoff,
}

/// Where a reflector sends the objects that its controller must not see.
pub(crate) struct SideChannels<K> {
    /// Objects that need a stamp.
    pub(crate) repairs: mpsc::UnboundedSender<Change<Lenient<K>>>,
    /// Objects that do not decode.
    pub(crate) undecodable: mpsc::UnboundedSender<Change<Lenient<K>>>,
}
