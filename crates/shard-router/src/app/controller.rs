//! [`Controller`]: what an operator declares about one kind.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use kube::{
    core::ApiResource,
    discovery::Scope,
    runtime::{
        Predicate,
        controller::Action,
        reflector::{ObjectRef, Store},
        watcher,
    },
};

use super::{Registered, ShardedApp};
use crate::{
    caches::OwnedType,
    error::RunError,
    kind_type::KindType,
    news,
    owned_resource::OwnedResource,
    reconciler::Reconciler,
    routing::kind_set::KindMode,
    setup::{Declared, KindSetup},
    sharded::ShardedObject,
    watched::WatchedType,
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
pub struct Controller<'app, K: ShardedObject> {
    app: &'app mut ShardedApp,
    kind: KindType,
    mode: KindMode,
    declared: Declared<K>,
}

impl<'app, K: ShardedObject> Controller<'app, K> {
    pub(super) fn new(app: &'app mut ShardedApp, kind: KindType, mode: KindMode) -> Self {
        Self { app, kind, mode, declared: Declared::default() }
    }

    /// Takes only resources that match this label selector, such as `app.kubernetes.io/part-of=shop,tier!=test`: only they are watched, get the bucket label and are
    /// reconciled. For a built-in kind, of which a namespace contains objects of everybody: without a selector, each of them gets the label. The default is all
    /// resources. Children need not match.
    ///
    /// A resource whose labels are edited so that it does not match any more is not reconciled any more; that is no deletion, and it keeps its bucket label. With a finalizer of
    /// yours, or with a key label, it must match until it is deleted: nobody removes a finalizer from a resource that is not selected.
    ///
    /// The selector is not part of the layout, so a rolling update can change it. Until all replicas have the same, a resource that only some of them select is reconciled
    /// while one of these holds its shard, and not while another does. It is never reconciled by two at once, because its bucket belongs to one shard
    /// whatever the selectors are.
    ///
    /// If the API server cannot parse the selector, readiness quotes its answer.
    ///
    /// ```no_run
    /// # use k8s_openapi::api::core::v1::ConfigMap;
    /// # use shard_router::ShardedApp;
    /// # fn example(app: &mut ShardedApp) -> impl Sized {
    /// app.controller::<ConfigMap>().labels("sites.example.com/template=true")
    /// # }
    /// ```
    pub fn labels(mut self, selector: impl Into<String>) -> Self {
        self.declared.labels = Some(selector.into());
        self
    }

    /// Reconciles a resource also when a child of this type changes, and caches these children, so that a reconcile can read them without a request
    /// with [`Held::owned`](crate::Held::owned). A child is an object that has the resource as owner and has the bucket label, see
    /// [`Held::label_child`](crate::Held::label_child).
    ///
    /// The children of a namespaced resource are in its namespace. Those of a cluster-scoped resource are in any namespace, or cluster-scoped themselves. A
    /// namespaced resource cannot own a cluster-scoped child, because the garbage collector cannot follow such an owner reference: [`ShardedApp::run`] refuses that.
    pub fn owns<C: OwnedResource>(mut self) -> Self {
        self.declared.owned.push(OwnedType::of::<C>());
        self
    }

    /// The same for children of a type that is not known at compile time. A reconcile reads them with [`Held::owned_dynamic`](crate::Held::owned_dynamic), and
    /// applies them with [`Held::apply_owned`](crate::Held::apply_owned) like any other.
    ///
    /// ```no_run
    /// # use shard_router::{Sharded, ShardedApp};
    /// use kube::{api::{ApiResource, GroupVersionKind}, discovery::Scope};
    /// # fn example<Site: Sharded>(app: &mut ShardedApp) -> impl Sized {
    /// let certificates = ApiResource::from_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", "Certificate"));
    /// app.controller::<Site>().owns_dynamic(certificates, Scope::Namespaced)
    /// # }
    /// ```
    pub fn owns_dynamic(mut self, resource: ApiResource, scope: Scope) -> Self {
        self.declared.owned.push(OwnedType::dynamic(KindType::dynamic(resource, scope)));
        self
    }

    /// Watches objects of another type that resources depend on and do not own: a Secret, a ConfigMap. They need no label. Reconciles the
    /// resources that `mapper` names when such an object appears, changes or disappears, and caches the objects, so that a reconcile
    /// can read them without a request with [`Held::watched`](crate::Held::watched).
    ///
    /// `mapper` gets the object and the resources that this replica holds, of one shard at a time. It is called for the new state, and for the old state
    /// if there was one, so that a resource is reconciled, too, if it no longer uses the object. It is called for each change in each shard,
    /// and must not block. A first list triggers nothing, because everything is reconciled after it.
    ///
    /// There is one watch on a replica, whatever the number of its shards, as long as it holds one. Kinds that declare the same type with an equal
    /// configuration share it. Set a label or field selector in the configuration to cache less, and watch `PartialObjectMeta<W>` to cache only
    /// metadata. An object that is not selected looks as if it did not exist.
    ///
    /// No resource of a shard is reconciled before the cache contains what was there when the shard was acquired. If the objects cannot be
    /// listed, this kind is held up, and readiness says why; other kinds are not.
    ///
    /// ```no_run
    /// # use k8s_openapi::api::core::v1::Secret;
    /// # use kube::runtime::{reflector::{ObjectRef, Store}, watcher};
    /// # use shard_router::{Sharded, ShardedApp};
    /// # fn secret_of<Site>(_: &Site) -> Option<String> { None }
    /// # fn example<Site: Sharded>(app: &mut ShardedApp) -> impl Sized {
    /// app.controller::<Site>().watches::<Secret, _>(watcher::Config::default(), |secret, sites: &Store<Site>| {
    ///     let name = secret.metadata.name.clone();
    ///     let sites = sites.state();
    ///     let users = sites.into_iter().filter(move |site| secret_of(site.as_ref()) == name);
    ///     users.map(|site| ObjectRef::from_obj(site.as_ref())).collect::<Vec<_>>()
    /// })
    /// # }
    /// ```
    pub fn watches<W: OwnedResource, I: IntoIterator<Item = ObjectRef<K>>>(
        mut self,
        config: watcher::Config,
        mapper: impl Fn(&W, &Store<K>) -> I + Send + Sync + 'static,
    ) -> Self {
        self.declared.watched.push(WatchedType::new(config, mapper));
        self
    }

    /// Reconciles a resource only if this hash of it has changed, or while it is being deleted; not when only its status has, for example. What a
    /// reconcile asks for itself ([`Action::requeue`](crate::Action)), retries, changes of children and triggers from outside come in any case. The
    /// default is each change, also if it is the reconciler's own: a status that was written makes the resource due once more. With
    /// `predicates::generation` it does not.
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

    /// What to do after a failure: the resource, the error, and the number of its failures in a row, of which the first is 1. The default is
    /// [`Reconciler::after_failure`]: a requeue after the exponential backoff in [`Options`](crate::Options), and not before the API server wants to be asked
    /// again.
    ///
    /// The error is that of the reconciler (`downcast_ref` gives it back), or a [`Failure`](crate::Failure) if the reconciler panicked or the router could not
    /// remove its finalizer.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use shard_router::{Action, Sharded, ShardedApp};
    /// # fn example<Site: Sharded>(app: &mut ShardedApp) -> impl Sized {
    /// app.controller::<Site>().error_policy(|_, error, failures| match error.downcast_ref::<kube::Error>() {
    ///     Some(kube::Error::Api(status)) if status.code == 404 => Action::await_change(),
    ///     _ => Action::requeue(Duration::from_secs(30) * failures.min(10)),
    /// })
    /// # }
    /// ```
    pub fn error_policy(
        mut self,
        policy: impl Fn(&K, &(dyn std::error::Error + 'static), u32) -> Action + Send + Sync + 'static,
    ) -> Self {
        self.declared.error_policy = Some(Arc::new(policy));
        self
    }

    /// Holds changes back for this long, so that those of a burst are reconciled at once: changes of a resource, of its children and of what it depends on,
    /// and triggers from outside. The delay begins with the first change and is not prolonged by others. What a list brings, requeues and retries are not
    /// delayed. The default is no delay.
    pub fn debounce(mut self, delay: Duration) -> Self {
        self.declared.debounce = Some(delay);
        self
    }

    /// Reconciles the kind with this reconciler, from [`ShardedApp::run`] on.
    pub fn run<R: Reconciler<K>>(self, reconciler: R) {
        let Self { app, kind, mode, declared } = self;
        let is_permitted = |child: &KindType| child.is_namespaced() || !kind.is_namespaced();
        let refused = declared.owned.iter().find(|owned| !is_permitted(&owned.kind));
        app.kinds.push(Registered {
            name: kind.name(),
            mode,
            resource: kind.resource(),
            owned: declared.owned.iter().map(|owned| owned.kind.resource()).collect(),
            watched: declared.watched.iter().map(|watched| watched.resource.clone()).collect(),
            refused: refused
                .map(|owned| RunError::OwnsClusterScoped { kind: kind.name(), owned: owned.kind.name() }),
            start: Box::new(move |setup| {
                Arc::new(KindSetup::<K, R>::new(setup, kind, mode, reconciler, declared))
            }),
        });
    }
}
