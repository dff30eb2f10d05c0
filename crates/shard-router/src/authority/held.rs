//! [`Held`]: the right to reconcile, as a value.

use std::{future::Future, sync::Arc, time::Duration};

use kube::{
    Client, Resource,
    core::{ApiResource, DynamicObject, ObjectMeta},
    runtime::events::{Recorder, Reporter},
};
use lease_core::{FencingToken, Term};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use crate::{
    authority::{buckets::BucketGroup, clients::Clients},
    caches::{Caches, OwnedError, recorded},
    children::Applier,
    kind_type::{KindScope, KindType},
    observability::{progress::TermProgress, requests::Observer, retry_after::RetryAfter},
    owned_resource::OwnedResource,
    routing::{
        bucket::{Bucket, ShardId},
        part::Part,
    },
    watched::WatchedError,
};

/// Proof that this replica holds the shard that an object belongs to, with a client that works only while it does. For an object of a kind that is
/// [not sharded](crate::ShardedApp::unsharded), the coordinator Lease takes the place of the shard.
///
/// A reconciler gets one for each reconcile. The client of a clone that is kept longer refuses to
/// send as soon as the shard is lost or released.
#[derive(Clone)]
pub struct Held {
    shard: Arc<HeldShard>,
    /// `None` if the kind is not sharded.
    bucket: Option<Bucket>,
    /// Of the object that is reconciled.
    namespace: Option<Arc<str>>,
    earlier_failures: u32,
    /// How long until the first child that waits may be written again.
    again: Arc<Mutex<Option<Duration>>>,
}

impl Held {
    /// The client to use for every request of a reconcile. Requests fail with [`GateClosed`](lease_core::GateClosed) once this replica no longer
    /// holds the shard.
    pub fn client(&self) -> Client {
        self.shard.client.clone()
    }

    /// The child of this type and name in the namespace of the object that is reconciled, or in none if the type is cluster-scoped, in the state that the shard's
    /// watch has shown last. `None` if
    /// there is none with the bucket label (see [`label_child`](Self::label_child)). The object has no `managedFields`.
    ///
    /// A reconcile begins only after each owned type has been listed in its namespace, and after the watches have shown what the last
    /// reconcile of the same resource wrote with [`client`](Self::client), except for deletions. The state may still be older than
    /// that in the API server, so set uid and resourceVersion as preconditions of each write.
    ///
    /// # Errors
    ///
    /// If the type was not declared with [`owns`](crate::Controller::owns), if the child does not decode, or if the type is namespaced and the object that is
    /// reconciled is in no namespace.
    pub fn owned<C>(&self, name: &str) -> Result<Option<Arc<C>>, OwnedError>
    where
        C: Resource<DynamicType = (), Scope: KindScope> + DeserializeOwned + Send + Sync + 'static,
    {
        self.shard.caches.owned(&KindType::of::<C>(), self.namespace.as_deref(), name)
    }

    /// The same for the child of a cluster-scoped object, which may be in any namespace.
    ///
    /// # Errors
    ///
    /// As for [`owned`](Self::owned); and if children in this namespace are not known, because it is not watched or its list has been refused. Do not create the
    /// child then: it may exist.
    pub fn owned_in<C>(&self, namespace: &str, name: &str) -> Result<Option<Arc<C>>, OwnedError>
    where
        C: Resource<DynamicType = (), Scope: KindScope> + DeserializeOwned + Send + Sync + 'static,
    {
        self.shard.caches.owned(&KindType::of::<C>(), Some(namespace), name)
    }

    /// The same for a child of a type that was declared with [`owns_dynamic`](crate::Controller::owns_dynamic). `namespace` is that of the child; `None` for that of
    /// the object that is reconciled.
    ///
    /// # Errors
    ///
    /// As for [`owned`](Self::owned) and [`owned_in`](Self::owned_in).
    pub fn owned_dynamic(
        &self,
        resource: &ApiResource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<DynamicObject>>, OwnedError> {
        let caches = &self.shard.caches;
        let known = caches.owned_kinds().find(|known| known.api == *resource);
        let kind = known.ok_or_else(|| OwnedError::NotDeclared { kind: resource.kind.clone() })?;
        caches.owned(&kind, namespace.or(self.namespace.as_deref()), name)
    }

    pub(super) fn caches(&self) -> &Caches {
        &self.shard.caches
    }

    pub(crate) fn applier(&self) -> &Applier {
        &self.shard.applier
    }

    /// A child waits for so long.
    pub(crate) fn look_again(&self, wait: Option<Duration>) {
        let mut again = self.again.lock();
        *again = again.into_iter().chain(wait).min();
    }

    /// How long the first child waits, of those that this reconcile has applied.
    pub(crate) fn again(&self) -> Option<Duration> {
        *self.again.lock()
    }

    /// The object of a type that resources depend on, in the state that the watch has shown last. `None` if there is none that the watch selects. The object has no
    /// `managedFields`.
    ///
    /// A reconcile begins only after the cache contains, in the namespace of its resource, what was there when the shard was acquired. The
    /// state may still be older than in the API server, also after a write of one's own. A change is followed by another reconcile, if the mapper names the
    /// resource.
    ///
    /// # Errors
    ///
    /// If the type was not declared with [`watches`](crate::Controller::watches), if the object does not decode, or if it is unknown whether there is one: the
    /// operator does not watch the namespace, or has not listed the objects there yet.
    pub fn watched<W: OwnedResource>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<W>>, WatchedError> {
        self.shard.caches.watched(namespace, name)
    }

    pub(super) fn recorder(&self) -> &Recorder {
        &self.shard.recorder
    }

    /// The kind of the object that is reconciled.
    pub(super) fn kind(&self) -> &KindType {
        self.shard.caches.kind()
    }

    /// The shard of the object; `None` if its kind is not sharded.
    pub fn shard(&self) -> Option<ShardId> {
        self.shard.part.shard()
    }

    pub(crate) fn part(&self) -> Part {
        self.shard.part
    }

    /// The bucket of the object that is reconciled; `None` if its kind is not sharded.
    pub fn bucket(&self) -> Option<Bucket> {
        self.bucket
    }

    /// How many reconciles of the object have failed in a row before this one, as far as this replica knows. Report a failure on the object
    /// when it happens twice in a row; a single one may be a conflict or a short outage.
    pub fn earlier_failures(&self) -> u32 {
        self.earlier_failures
    }

    /// The fencing token, which grows from one owner of the object to the next; 0 without leader election.
    pub fn token(&self) -> FencingToken {
        self.shard.token
    }

    /// How much longer this replica holds the shard if its Lease is not renewed again; `None` if it no longer does.
    pub fn remaining(&self) -> Option<Duration> {
        self.shard.term.remaining()
    }

    /// Resolves when the shard is about to be handed over, or when the object is about to go to another shard because the number of shards changes. A reconcile that
    /// waits for a long time should end then: a reconcile that still runs at the drain timeout is aborted.
    pub fn draining(&self) -> impl Future<Output = ()> + Send + use<> {
        let (shard, bucket) = (self.shard.clone(), self.bucket);
        async move {
            tokio::select! {
                () = shard.term.draining() => {}
                () = shard.buckets.closed(bucket) => {}
            }
        }
    }

    /// The label that children must have, as key and value; `None` if the kind is not sharded.
    pub fn bucket_label(&self) -> Option<(String, String)> {
        self.bucket.map(|bucket| (self.shard.bucket_label.to_string(), bucket.to_string()))
    }

    /// Adds the bucket label to a child. Watches of owned types are filtered by it, so a child without the label is not
    /// seen. Does nothing if the kind is not sharded: its children need no label.
    pub fn label_child(&self, meta: &mut ObjectMeta) {
        if let Some((key, value)) = self.bucket_label() {
            meta.labels.get_or_insert_default().insert(key, value);
        }
    }
}

/// A held shard, or the held coordinator Lease, which all [`Held`] of one term and kind share.
pub(crate) struct HeldShard {
    pub(crate) part: Part,
    pub(crate) token: FencingToken,
    pub(crate) term: Term,
    pub(crate) buckets: Arc<BucketGroup>,
    /// What the API server has answered to either client.
    pub(crate) retry_after: Arc<RetryAfter>,
    client: Client,
    housekeeping: Client,
    recorder: Recorder,
    bucket_label: Arc<str>,
    caches: Arc<Caches>,
    applier: Arc<Applier>,
}

impl HeldShard {
    /// Creates the clients of one term. `progress` and `retry_after` observe the answers to their requests.
    pub(crate) fn new(
        (part, token): (Part, FencingToken),
        (term, buckets): (Term, Arc<BucketGroup>),
        (reconcilers, housekeeping): (&Clients, &Clients),
        reporter: Reporter,
        bucket_label: Arc<str>,
        (progress, retry_after): (&Arc<TermProgress>, Arc<RetryAfter>),
        (caches, applier): (Arc<Caches>, Arc<Applier>),
    ) -> Arc<Self> {
        let observers = || [progress.clone() as Arc<dyn Observer>, retry_after.clone()];
        let client = recorded(reconcilers.of_shard(&term, observers()), caches.clone());
        let housekeeping = housekeeping.of_shard(&term, observers());
        let recorder = Recorder::new(client.clone(), reporter);
        Arc::new(Self {
            part,
            token,
            term,
            buckets,
            retry_after,
            client,
            housekeeping,
            recorder,
            bucket_label,
            caches,
            applier,
        })
    }

    pub(crate) fn for_object(
        self: &Arc<Self>,
        bucket: Option<Bucket>,
        namespace: Option<String>,
        earlier_failures: u32,
    ) -> Held {
        Held {
            shard: self.clone(),
            bucket,
            namespace: namespace.map(Into::into),
            earlier_failures,
            again: Arc::default(),
        }
    }

    pub(crate) fn caches(&self) -> &Arc<Caches> {
        &self.caches
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client for the router's own writes to custom resources, which refuses to send when the term is over, too.
    pub(crate) fn housekeeping(&self) -> Client {
        self.housekeeping.clone()
    }
}
