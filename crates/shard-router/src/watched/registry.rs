//! The watched types of a replica: one watch for each type and configuration, whoever declares it.

use std::{
    any::Any,
    sync::{Arc, Weak},
};

use kube::{Client, runtime::watcher};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    barrier::{ReadMark, Reads},
    shared::{Shared, SharedWatch},
};
use crate::{
    observability::{progress::WatchedProgress, requests::Observer},
    owned_resource::OwnedResource,
    rng::SharedRng,
    watch::{scope::Scope, watcher::Watcher},
};

/// Makes a client whose answers are reported to this observer, too.
type ClientFactory = Box<dyn Fn(Arc<dyn Observer>) -> Client + Send + Sync>;

/// What was declared, and what runs of it.
pub(crate) struct Registry {
    clients: ClientFactory,
    shared: Shared,
    histories: Arc<Histories>,
    entries: Mutex<Vec<Registered>>,
}

struct Registered {
    config: watcher::Config,
    /// A `WatchEntry`, whose type says what is watched.
    entry: Arc<dyn Any + Send + Sync>,
}

/// How often etcd was restored from a backup, once the elections can tell.
#[derive(Default)]
struct Histories(Mutex<Option<watch::Receiver<u64>>>);

/// One type and configuration.
pub(crate) struct WatchEntry<W> {
    pub(super) client: Client,
    pub(super) scope: Scope,
    pub(super) config: watcher::Config,
    pub(super) progress: Arc<WatchedProgress>,
    shared: Shared,
    histories: Arc<Histories>,
    running: Mutex<Running<W>>,
}

/// The watch that was started last, and in which history.
struct Running<W> {
    history: u64,
    watch: Weak<SharedWatch<W>>,
}

impl Registry {
    pub(crate) fn new(clients: ClientFactory, scope: Scope, watcher: Watcher, rng: SharedRng) -> Self {
        let shared = Shared { scope, watcher, rng, reads: Reads::default() };
        Self { clients, shared, histories: Arc::default(), entries: Mutex::default() }
    }

    /// A point in time, for the takeover barrier of a shard that has just been acquired.
    pub(crate) fn mark(&self) -> ReadMark {
        self.shared.reads.mark()
    }

    /// From now on, watches are started anew for holds that begin after a restore of etcd.
    pub(crate) fn follow_restores(&self, restores: watch::Receiver<u64>) {
        *self.histories.0.lock() = Some(restores);
    }

    /// The entry of this type and configuration. Equal declarations have one.
    pub(super) fn entry<W: OwnedResource>(&self, config: &watcher::Config) -> Arc<WatchEntry<W>> {
        let mut entries = self.entries.lock();
        let mut equal = entries.iter().filter(|known| known.config == *config);
        if let Some(known) = equal.find_map(|known| known.entry.clone().downcast().ok()) {
            return known;
        }
        let progress = Arc::new(WatchedProgress::new(self.shared.watcher.clock.clone()));
        let entry = Arc::new(WatchEntry::<W> {
            client: (self.clients)(progress.clone()),
            scope: self.shared.scope.clone(),
            config: config.clone(),
            progress,
            shared: self.shared.clone(),
            histories: self.histories.clone(),
            running: Mutex::default(),
        });
        entries.push(Registered { config: config.clone(), entry: entry.clone() });
        entry
    }
}

impl<W: OwnedResource> WatchEntry<W> {
    /// The watch that runs, or a new one if there is none, or none of this history of etcd: after a restore, resourceVersions mean other states.
    pub(super) fn open(&self) -> Arc<SharedWatch<W>> {
        let history = self.histories.number();
        let mut running = self.running.lock();
        if running.history == history
            && let Some(watch) = running.watch.upgrade()
        {
            return watch;
        }
        self.progress.restart();
        let watch = SharedWatch::start(self.shared.clone(), self.client.clone(), self.config.clone());
        *running = Running { history, watch: Arc::downgrade(&watch) };
        watch
    }
}

impl<W> Default for Running<W> {
    fn default() -> Self {
        Self { history: 0, watch: Weak::new() }
    }
}

impl Histories {
    fn number(&self) -> u64 {
        self.0.lock().as_ref().map_or(0, |restores| *restores.borrow())
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use k8s_openapi::api::core::v1::{ConfigMap, Secret};
    use kube::client::Body;
    use tower::BoxError;

    use super::*;
    use crate::{observability::log_limit::LogLimit, testing::ByHand};

    /// One whose requests are never answered.
    fn registry() -> Registry {
        let silent = |_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>();
        let client = Client::new(tower::service_fn(silent), "ns");
        let watcher = Watcher { clock: Arc::new(ByHand::default()), log_limit: LogLimit::default() };
        let scope = Scope::of(&std::collections::BTreeSet::new());
        Registry::new(Box::new(move |_| client.clone()), scope, watcher, SharedRng::seeded(1))
    }

    #[tokio::test]
    async fn equal_declarations_share_a_watch_for_as_long_as_somebody_holds_it() {
        let registry = registry();
        let all = watcher::Config::default();
        let entry = registry.entry::<ConfigMap>(&all);
        assert!(Arc::ptr_eq(&entry, &registry.entry::<ConfigMap>(&all)));
        assert!(!Arc::ptr_eq(&entry, &registry.entry::<ConfigMap>(&all.clone().labels("a=b"))));
        registry.entry::<Secret>(&all);
        let watch = entry.open();
        assert!(Arc::ptr_eq(&watch, &entry.open()));
        let ended = Arc::downgrade(&watch);
        drop(watch);
        assert!(ended.upgrade().is_none(), "nobody holds it, and it runs");
    }

    /// The holds of before end, but some of them may still drain.
    #[tokio::test]
    async fn a_watch_of_before_a_restore_of_etcd_is_not_shared_with_holds_of_after_it() {
        let registry = registry();
        let (restores, seen) = watch::channel(0);
        registry.follow_restores(seen);
        let entry = registry.entry::<ConfigMap>(&watcher::Config::default());
        let before = entry.open();
        restores.send_replace(1);
        let after = entry.open();
        assert!(!Arc::ptr_eq(&before, &after));
        drop(before);
        assert!(Arc::ptr_eq(&after, &entry.open()));
    }
}
