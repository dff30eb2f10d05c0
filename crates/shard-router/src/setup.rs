//! What all shards of one replica share.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use k8s_openapi::NamespaceResourceScope;
use kube::{
    Client, Resource,
    core::PartialObjectMeta,
    runtime::{Controller, WatchStreamExt, watcher},
};
use lease_core::Clock;
use parking_lot::{Mutex, MutexGuard};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::{
    clients::Clients,
    layout::Layout,
    log_limit::LogLimit,
    metrics::Metrics,
    names::Names,
    options::Options,
    progress::Progress,
    reconciler::Reconciler,
    records::Recorder,
    rights::Rights,
    scope::apis,
    sharded::Sharded,
    stamper::{Rules, Stamper},
    watch_backoff::WatchBackoff,
    watching::{Watcher, at_once},
};

/// Everything a shard runner needs besides its hold.
pub(crate) struct Setup<K: Sharded, R: Reconciler<K>> {
    pub(crate) options: Options,
    pub(crate) names: Names,
    pub(crate) layout: Layout,
    pub(crate) reconciler: R,
    pub(crate) owned: Vec<OwnedType<K>>,
    /// For requests of reconcilers.
    pub(crate) clients: Clients,
    /// For writes on custom resources that are no reconcile.
    pub(crate) stamper_clients: Clients,
    pub(crate) rules: Arc<Rules>,
    pub(crate) recorder: Recorder,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Arc<dyn Clock>,
    /// Bounds concurrent starts.
    pub(crate) starts: Arc<Semaphore>,
    pub(crate) dice: Dice,
    pub(crate) reconciles: AtomicU64,
    /// What keeps this replica from coordinating, for its readiness.
    pub(crate) trouble: Trouble,
    /// What makes stamps come to nothing.
    pub(crate) definition: Arc<Trouble>,
    pub(crate) rights: Arc<Rights>,
    pub(crate) progress: Arc<Progress>,
    /// For what is said again and again.
    pub(crate) log_limit: LogLimit,
}

/// A sentence that stands until it is cleared.
#[derive(Default)]
pub(crate) struct Trouble(Mutex<Option<String>>);

impl Trouble {
    pub(crate) fn set(&self, sentence: String) {
        *self.lock() = Some(sentence);
    }

    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock()
    }
}

impl<K: Sharded, R: Reconciler<K>> Setup<K, R> {
    /// In one sentence, what keeps this replica from working on what it holds; also tells the metrics.
    pub(crate) fn hindrance(&self) -> Option<String> {
        self.metrics.stalled(&self.progress.stalls());
        let patience = self.options.elections.timings.lease_duration();
        self.definition.get().or_else(|| self.rights.sentence()).or_else(|| self.progress.sentence(patience))
    }

    /// The number of the next reconcile.
    pub(crate) fn next_reconcile(&self) -> u64 {
        self.reconciles.fetch_add(1, Ordering::Relaxed)
    }

    /// A stamper that writes through `client`.
    pub(crate) fn stamper(&self, client: Client, delay: Duration) -> Stamper {
        Stamper {
            rules: self.rules.clone(),
            client,
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            definition: self.definition.clone(),
            log_limit: self.log_limit.clone(),
            delay,
            backoff_seed: self.dice.seed(),
        }
    }

    /// In which order the objects of a first list are taken.
    pub(crate) fn order(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.dice.seed())
    }

    /// What watches.
    pub(crate) fn watcher(&self) -> Watcher {
        Watcher { clock: self.clock.clone(), log_limit: self.log_limit.clone() }
    }

    /// For one watch.
    pub(crate) fn watch_backoff(&self) -> WatchBackoff {
        WatchBackoff::seeded(self.dice.seed())
    }
}

/// Seeded randomness, shared.
pub(crate) struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// From 0 to 1.
    pub(crate) fn roll(&self) -> f64 {
        self.0.lock().f64()
    }

    /// For randomness of one's own.
    fn seed(&self) -> u64 {
        self.0.lock().u64(..)
    }
}

/// A type of children.
pub(crate) struct OwnedType<K: Sharded> {
    pub(crate) watch: OwnedWatch<K>,
    #[cfg(feature = "mutants")]
    pub(crate) clean_up: crate::shard::clean_up::CleanUp,
}

impl<K: Sharded> OwnedType<K> {
    pub(crate) fn of<C>() -> Self
    where
        C: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        Self {
            watch: owned_watch::<K, C>(),
            #[cfg(feature = "mutants")]
            clean_up: crate::shard::clean_up::clean_up::<C>(),
        }
    }
}

/// Adds the watches of one owned type to a shard's controller. Arguments: controller, client, namespaces, selector, what
/// watches, and what gives each watch its backoff.
type OwnedWatch<K> = Box<
    dyn Fn(
            Controller<K>,
            &Client,
            &BTreeSet<String>,
            &str,
            &Watcher,
            &dyn Fn() -> WatchBackoff,
        ) -> Controller<K>
        + Send
        + Sync,
>;

/// The watches of one owned type, one for each namespace: the same buckets as the custom resources, and only the metadata, since
/// what triggers a reconcile is that a child has changed and not how.
///
/// Metadata has the same form for every type, and the API server decodes and encodes it itself. So no child, whatever its
/// spec, can keep the others of its list from being seen.
fn owned_watch<K, C>() -> OwnedWatch<K>
where
    K: Sharded,
    C: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    Box::new(|controller, client, namespaces, selector, watcher, backoff| {
        apis::<PartialObjectMeta<C>>(client, namespaces).into_iter().fold(controller, |controller, api| {
            let config = watcher::Config::default().labels(selector);
            let children = watcher.watch(api, config, backoff(), at_once).touched_objects();
            controller.owns_stream(children)
        })
    })
}
