//! The watch and the cache of one type and configuration.

mod proof;

use std::{any::Any, sync::Arc};

use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
};
use kube::{
    Api, Client, Resource,
    api::ListParams,
    runtime::watcher::{self, Event},
};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    WatchedError,
    barrier::{Position, ReadMark, Reads},
    objects::{Change, Listing, Objects},
};
use crate::{
    kind_type::KindType,
    owned_resource::OwnedResource,
    rng::SharedRng,
    watch::{
        backoff::WatchBackoff,
        lenient::Lenient,
        scope::Scope,
        watcher::{Watcher, at_once},
    },
};

/// What all watched types of a replica share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) scope: Scope,
    pub(super) watcher: Watcher,
    pub(super) rng: SharedRng,
    pub(super) reads: Reads,
}

/// A cache, whatever its type.
pub(crate) trait Cache: Any + Send + Sync {
    /// On how many watches it comes.
    fn watches(&self) -> usize;

    /// Resolves when the cache contains what the `watch`th watch covers, as of a read sent after `acquired`. `failed` is called when a list fails before.
    fn reached<'a>(
        &'a self,
        watch: usize,
        acquired: ReadMark,
        failed: &'a (dyn Fn() + Send + Sync),
    ) -> BoxFuture<'a, ()>;
}

/// A running watch. It ends when nobody holds this any more.
pub(crate) struct SharedWatch<W> {
    state: Arc<WatchState<W>>,
    _task: AbortOnDropHandle<()>,
}

struct WatchState<W> {
    shared: Shared,
    client: Client,
    config: watcher::Config,
    /// One for each watch, with its namespace.
    parts: Vec<(Option<String>, Position)>,
    objects: Objects<W>,
    subscribers: Mutex<Vec<mpsc::UnboundedSender<Arc<Change<W>>>>>,
}

impl<W: OwnedResource> SharedWatch<W> {
    /// Must be called within a tokio runtime.
    pub(super) fn start(shared: Shared, client: Client, config: watcher::Config) -> Arc<Self> {
        let apis = shared.scope.apis::<W>(&KindType::of::<W>(), &client);
        let parts =
            apis.iter().map(|api| (api.namespace().map(str::to_owned), Position::default())).collect();
        let state = Arc::new(WatchState {
            shared,
            client,
            config,
            parts,
            objects: Objects::default(),
            subscribers: Mutex::default(),
        });
        let watching = state.clone();
        let task = tokio::spawn(async move {
            join_all((0..watching.parts.len()).map(|part| watching.follow(part))).await;
        });
        Arc::new(Self { state, _task: AbortOnDropHandle::new(task) })
    }

    /// The changes from now on. Those of a first list are not among them: nobody has been reconciled before it.
    pub(super) fn subscribe(&self) -> mpsc::UnboundedReceiver<Arc<Change<W>>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut subscribers = self.state.subscribers.lock();
        subscribers.retain(|subscriber| !subscriber.is_closed());
        subscribers.push(sender);
        receiver
    }

    pub(crate) fn get(&self, namespace: &str, name: &str) -> Result<Option<Arc<W>>, WatchedError> {
        self.state.objects.get(namespace, name).map_err(|error| WatchedError::Undecodable {
            kind: W::kind(&()).into_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            error,
        })
    }
}

impl<W: OwnedResource> Cache for SharedWatch<W> {
    fn watches(&self) -> usize {
        self.state.parts.len()
    }

    fn reached<'a>(
        &'a self,
        watch: usize,
        acquired: ReadMark,
        failed: &'a (dyn Fn() + Send + Sync),
    ) -> BoxFuture<'a, ()> {
        self.state.reached(watch, acquired, failed).boxed()
    }
}

impl<W: OwnedResource> WatchState<W> {
    /// Fills the cache from one watch. Never ends.
    async fn follow(&self, part: usize) {
        let config = self.config.clone();
        let mut listing = Listing::default();
        loop {
            let api = self.apis().remove(part);
            let mut events = self.shared.watcher.watch(api, config.clone(), self.backoff(), at_once);
            loop {
                tokio::select! {
                    event = events.next() => match event {
                        Some(event) => self.take(part, event, &mut listing),
                        None => break,
                    },
                    () = self.parts[part].1.restart.notified() => break,
                }
            }
        }
    }

    fn take(&self, part: usize, event: Result<Event<Lenient<W>>, watcher::Error>, listing: &mut Listing<W>) {
        let (namespace, position) = &self.parts[part];
        match event {
            Err(_) => position.failed(),
            // It comes before the list is requested.
            Ok(Event::Init) => {
                *listing = Listing::default();
                position.list_begins(self.shared.reads.begin());
            }
            Ok(Event::InitApply(object)) => {
                position.listed(object.meta().resource_version.as_deref());
                listing.add(object);
            }
            Ok(Event::InitDone) => {
                let is_first = !position.is_listed();
                let changes = self.objects.replace(namespace.as_deref(), std::mem::take(listing));
                position.list_ends();
                if !is_first {
                    for change in changes {
                        self.publish(change);
                    }
                }
            }
            Ok(Event::Apply(object)) => {
                let version = object.meta().resource_version.clone();
                let change = self.objects.put(object);
                position.shown(version.as_deref());
                self.publish(change);
            }
            Ok(Event::Delete(object)) => {
                let change = self.objects.remove(object.meta());
                position.shown(object.meta().resource_version.as_deref());
                self.publish(change);
            }
        }
    }

    /// The cache contains the change already.
    fn publish(&self, change: Change<W>) {
        let change = Arc::new(change);
        self.subscribers.lock().retain(|subscriber| subscriber.send(change.clone()).is_ok());
    }

    /// One for each watch.
    fn apis(&self) -> Vec<Api<Lenient<W>>> {
        self.shared.scope.apis(&KindType::of::<W>(), &self.client)
    }

    fn backoff(&self) -> WatchBackoff {
        WatchBackoff::seeded(self.shared.rng.seed())
    }
}

/// A list of what this configuration selects.
pub(super) fn selected(config: &watcher::Config) -> ListParams {
    ListParams {
        label_selector: config.label_selector.clone(),
        field_selector: config.field_selector.clone(),
        ..ListParams::default()
    }
}
