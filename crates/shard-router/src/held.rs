//! [`Held`]: the right to reconcile, as a value.

use std::{future::Future, sync::Arc, time::Duration};

use futures::{
    FutureExt,
    future::{BoxFuture, select},
};
use kube::{Client, core::ObjectMeta};
use lease_core::FencingToken;
use tokio_util::sync::CancellationToken;

use crate::{
    bucket::{Bucket, ShardId},
    gate::{Authority, Base, Pass},
    hold::Hold,
    progress::HeldProgress,
    requests::{Answer, Observer, Target},
};

/// Proof that this replica holds the shard that an object belongs to, with a client that works only while it does.
///
/// A reconciler gets one per reconcile. Whoever keeps a clone beyond the reconcile has a client that refuses to
/// send as soon as the hold ends.
#[derive(Clone)]
pub struct Held {
    shard: Arc<HeldShard>,
    bucket: Bucket,
    earlier_failures: u32,
}

impl Held {
    /// The client to use for every request of a reconcile. It fails with [`GateClosed`](crate::GateClosed) once the
    /// hold is over.
    pub fn client(&self) -> Client {
        self.shard.client.clone()
    }

    /// The shard.
    pub fn shard(&self) -> ShardId {
        self.shard.shard
    }

    /// The bucket of the object being reconciled.
    pub fn bucket(&self) -> Bucket {
        self.bucket
    }

    /// How many reconciles of the object have failed in a row before this one, as far as this replica knows. A failure that happens twice
    /// in a row is worth telling on the object; one that happens once may have been a conflict or a short outage.
    pub fn earlier_failures(&self) -> u32 {
        self.earlier_failures
    }

    /// A number that grows from one owner of the shard to the next; 0 without leader election.
    pub fn token(&self) -> FencingToken {
        FencingToken(self.shard.hold.token())
    }

    /// How long the hold lasts unless it is renewed; `None` once it is over.
    pub fn remaining(&self) -> Option<Duration> {
        self.shard.remaining()
    }

    /// Resolves when the shard is to be handed over. A reconcile that waits for something long should end then: what is
    /// still running at the drain timeout is aborted.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        let shard = self.shard.clone();
        async move { shard.hold.draining().await }
    }

    /// The label that children must carry, as key and value.
    pub fn bucket_label(&self) -> (String, String) {
        (self.shard.bucket_label.to_string(), self.bucket.to_string())
    }

    /// Puts the bucket label on a child. Watches of owned types are filtered by it: a child without the label is not
    /// seen again.
    pub fn label_child(&self, meta: &mut ObjectMeta) {
        let (key, value) = self.bucket_label();
        meta.labels.get_or_insert_default().insert(key, value);
    }
}

/// A held shard: what every [`Held`] of one holding shares.
pub(crate) struct HeldShard {
    pub(crate) shard: ShardId,
    pub(crate) hold: Hold,
    client: Client,
    housekeeping: Client,
    bucket_label: Arc<str>,
    closed: CancellationToken,
}

impl HeldShard {
    /// Sets up the gated clients of one holding.
    pub(crate) fn new(
        shard: ShardId,
        hold: Hold,
        base: &Base,
        housekeeping: &Base,
        bucket_label: Arc<str>,
        progress: Arc<HeldProgress>,
    ) -> Arc<Self> {
        let closed = CancellationToken::new();
        let authority =
            HoldAuthority { hold: hold.clone(), closed: closed.clone(), progress: Some(progress) };
        let pass = Pass(Arc::new(authority));
        let (client, housekeeping) = (base.gated(&pass), housekeeping.gated(&pass));
        Arc::new(Self { shard, hold, client, housekeeping, bucket_label, closed })
    }

    pub(crate) fn for_bucket(self: &Arc<Self>, bucket: Bucket, earlier_failures: u32) -> Held {
        Held { shard: self.clone(), bucket, earlier_failures }
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Gated likewise, for the router's own writes on custom resources.
    pub(crate) fn housekeeping(&self) -> Client {
        self.housekeeping.clone()
    }

    /// Shuts the gate although the Lease may go on: after the drain nothing has any business with the API server.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    fn remaining(&self) -> Option<Duration> {
        self.hold.remaining().filter(|_| !self.closed.is_cancelled())
    }
}

/// A gated client for something other than a shard, such as the coordinator's tasks.
pub(crate) fn gated_by(hold: &Hold, base: &Base) -> Client {
    let authority = HoldAuthority { hold: hold.clone(), closed: CancellationToken::new(), progress: None };
    base.gated(&Pass(Arc::new(authority)))
}

struct HoldAuthority {
    hold: Hold,
    closed: CancellationToken,
    /// Of a shard.
    progress: Option<Arc<HeldProgress>>,
}

impl Authority for HoldAuthority {
    fn remaining(&self) -> Option<Duration> {
        self.hold.remaining().filter(|_| !self.closed.is_cancelled())
    }

    fn over(&self) -> BoxFuture<'_, ()> {
        let (hold, closed) = (Box::pin(self.hold.over()), Box::pin(self.closed.cancelled()));
        select(hold, closed).map(|_| ()).boxed()
    }

    fn lease(&self) -> String {
        self.hold.lease().to_owned()
    }

    fn write_begins(&self) -> bool {
        self.hold.write_begins()
    }

    fn write_ends(&self, answered: bool) {
        self.hold.write_ends(answered);
    }

    fn answered(&self, target: &Target, answer: &Answer) {
        if let Some(progress) = &self.progress {
            progress.answered(target, answer);
        }
    }
}
