//! [`Controller`]: what an operator declares about one kind.

use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::runtime::{Predicate, reflector::ObjectRef};

use super::{Registered, ShardedApp};
use crate::{
    caches::{OwnedType, resource},
    news,
    owned_resource::OwnedResource,
    reconciler::Reconciler,
    setup::{Declared, KindSetup, kind_name},
    sharded::Sharded,
};

/// The controller of one kind, while it is declared. Made by [`ShardedApp::controller`].
///
/// ```compile_fail
/// #![deny(unused_must_use)]
/// # use shard_router::{Sharded, ShardedApp};
/// # fn forgets<Cache: Sharded>(app: &mut ShardedApp) {
/// app.controller::<Cache>(); // without `run`, nobody reconciles this kind
/// # }
/// ```
#[must_use = "a kind is reconciled only if `run` is called on its controller"]
pub struct Controller<'app, K: Sharded> {
    app: &'app mut ShardedApp,
    declared: Declared<K>,
}

impl<'app, K: Sharded> Controller<'app, K> {
    pub(super) fn new(app: &'app mut ShardedApp) -> Self {
        Self { app, declared: Declared::default() }
    }

    /// Reconciles a resource also when a child of this type changes, and caches these children, so that a reconcile can read them without a request
    /// with [`Held::owned`](crate::Held::owned). A child is an object that has the resource as owner and has the bucket label, see
    /// [`Held::label_child`](crate::Held::label_child).
    pub fn owns<C: OwnedResource>(mut self) -> Self {
        self.declared.owned.push(OwnedType::of::<C>());
        self
    }

    /// Reconciles a resource only if this hash of it has changed, or while it is being deleted; not when only its status has, for example. What a
    /// reconcile asks for itself ([`Action::requeue`](crate::Action)), retries, changes of children and triggers from outside come in any case. The
    /// default is each change.
    ///
    /// ```no_run
    /// # use shard_router::{Sharded, ShardedApp};
    /// use kube::runtime::{Predicate as _, predicates};
    /// # fn example<Cache: Sharded>(app: &mut ShardedApp) -> impl Sized {
    /// app.controller::<Cache>().predicate(predicates::generation.combine(predicates::annotations))
    /// # }
    /// ```
    pub fn predicate(mut self, predicate: impl Predicate<K> + Send + Sync + 'static) -> Self {
        self.declared.news = Some(news::property(predicate));
        self
    }

    /// Reconciles each resource that this stream names, on whichever replica holds it: give each replica a stream that names all of them. The others
    /// ignore it. Whoever takes a shard over reconciles all of its resources, so nothing is lost if the stream names a resource while nobody
    /// holds it. A stream that ends is not begun again.
    pub fn reconcile_on(mut self, triggers: impl Stream<Item = ObjectRef<K>> + Send + 'static) -> Self {
        self.declared.external.push(triggers.boxed());
        self
    }

    /// Reconciles the kind with this reconciler, from [`ShardedApp::run`] on.
    pub fn run<R: Reconciler<K>>(self, reconciler: R) {
        let declared = self.declared;
        self.app.kinds.push(Registered {
            name: kind_name::<K>(),
            resource: resource::<K>(),
            owned: declared.owned.iter().map(|owned| owned.resource.clone()).collect(),
            start: Box::new(move |setup| Arc::new(KindSetup::<K, R>::new(setup, reconciler, declared))),
        });
    }
}
