//! The stamper writes the bucket on objects that have none, and restores it where it was removed or edited.
//!
//! The bucket is a pure function of the object and each write is conditional, so two replicas may stamp the same object without harm. The
//! coordinator stamps at once. Every other replica watches too, and stamps objects that stay unstamped for long. The owner of a shard
//! repairs objects that carry its label but do not match it.

mod backlog;
mod config;
mod write;

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use futures::{
    FutureExt, Stream, StreamExt,
    future::{BoxFuture, ready},
    stream::FuturesUnordered,
};
use kube::{Client, Resource, ResourceExt, runtime::watcher};
use lease_core::Clock;

pub(crate) use self::config::StampConfig;
use self::{backlog::Backlog, write::StampError};
use crate::{
    kind_type::KindType,
    observability::{log_limit::LogLimit, metrics::KindMetrics, problem::Problem},
    sharded::{ShardedObject, cr_name},
    watch::{
        backoff::WatchBackoff,
        lenient::Lenient,
        scope::{Scope, merged},
        watcher::{Watcher, at_once},
    },
};

/// A change of the set of objects that need work.
#[derive(Debug)]
pub(crate) enum Change<K> {
    /// Something has to be done with this object, in the state given here.
    Pending(K),
    /// Nothing has to be done with the object of this name (`namespace/name`, or `name`) any more, or it is gone.
    Settled(String),
    /// A list is complete: of this namespace, or of all, nothing has to be done with other objects than these.
    Listed { namespace: Option<String>, names: BTreeSet<String> },
}

/// Converts the events of one watch. An object that was stamped or deleted between two watches is only missing in the next list, so the names in
/// each list are remembered.
fn change<K: ShardedObject>(
    event: Result<watcher::Event<Lenient<K>>, watcher::Error>,
    namespace: Option<&str>,
    listed: &mut BTreeSet<String>,
) -> Option<Change<Lenient<K>>> {
    match event {
        Ok(watcher::Event::Init) => {
            listed.clear();
            None
        }
        Ok(watcher::Event::InitApply(object)) => {
            listed.insert(cr_name(&object));
            Some(Change::Pending(object))
        }
        Ok(watcher::Event::InitDone) => {
            Some(Change::Listed { namespace: namespace.map(str::to_owned), names: std::mem::take(listed) })
        }
        Ok(watcher::Event::Apply(object)) => Some(Change::Pending(object)),
        Ok(watcher::Event::Delete(object)) => Some(Change::Settled(cr_name(&object))),
        // A failed watch is retried, and has been logged.
        Err(_) => None,
    }
}

/// The maximum number of concurrent stamps: enough for many resources that are created at once, and far below what the API
/// server's fairness would throttle.
const CONCURRENCY: usize = 32;

/// The check before a bucket is recorded.
///
/// If the committed layout has no key label, resources are reconciled without a record. A replica that has not seen that layout, and still uses an
/// earlier one with a key label, would record another bucket for such a resource while its owner works on it. So it reads the layout first, and its write
/// has such a short time limit that it cannot be applied later than LeaseDuration after the read. No replica works under another layout before that.
#[derive(Clone)]
pub(crate) struct BeforeRecording {
    pub(crate) is_committed: Arc<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>,
    /// The time limit from the read to the end of the write: RenewDeadline, as for the holder of a Lease.
    pub(crate) limit: Duration,
}

/// One stamper.
#[derive(Clone)]
pub(crate) struct Stamper {
    pub(crate) kind: KindType,
    pub(crate) config: Arc<StampConfig>,
    /// The label selector of the resources that need a stamp.
    pub(crate) selector: String,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: KindMetrics,
    /// The problem with the CRD, for readiness.
    pub(crate) definition: Arc<Problem>,
    pub(crate) log_limit: LogLimit,
    /// How long to leave an object to others.
    pub(crate) delay: Duration,
    /// For a stamper whose client does not stop with a term.
    pub(crate) before_recording: Option<BeforeRecording>,
    /// For the retries of its watches.
    pub(crate) backoff_seed: u64,
}

impl Stamper {
    /// Stamps all objects that its selector selects, in these namespaces or in all if there are none. Never ends.
    pub(crate) async fn run<K: ShardedObject>(&self, namespaces: &BTreeSet<String>) {
        let config = watcher::Config::default().labels(&self.selector);
        let seeds = (0..).map(|nth| self.backoff_seed.wrapping_add(nth));
        let watcher = Watcher { clock: self.clock.clone(), log_limit: self.log_limit.clone() };
        let changes = Scope::of(namespaces).apis::<K>(&self.kind, &self.client).into_iter().zip(seeds).map(
            |(api, seed)| {
                let (namespace, mut listed) = (api.namespace().map(str::to_owned), BTreeSet::new());
                let events = watcher.watch(api, config.clone(), WatchBackoff::seeded(seed), at_once);
                events
                    .filter_map(move |event| ready(change(event, namespace.as_deref(), &mut listed)))
                    .boxed()
            },
        );
        self.restore(merged(changes.collect()), |_| true).await;
    }

    /// Stamps the objects of the stream that `may` permits at the time.
    pub(crate) async fn restore<K: ShardedObject>(
        &self,
        changes: impl Stream<Item = Change<Lenient<K>>>,
        may: impl Fn(&Lenient<K>) -> bool,
    ) {
        let stamp = |object: Lenient<K>| {
            let permitted = may(&object);
            async move {
                let outcome = if permitted { self.stamp(&object).await } else { Completion::Deferred };
                self.metrics.stamped(outcome.word());
                outcome
            }
            .boxed()
        };
        process_changes(self.clock.as_ref(), self.delay, changes, stamp).await;
    }

    async fn stamp<K: ShardedObject>(&self, object: &Lenient<K>) -> Completion {
        let Some(before) = &self.before_recording else { return self.write(object).await };
        if !self.config.stamp(object.meta(), object.recorded_bucket()).record {
            return self.write(object).await;
        }
        let until = self.clock.now().monotonic + before.limit;
        if !(before.is_committed)().await {
            return Completion::Failed;
        }
        tokio::select! {
            biased;
            () = self.clock.sleep(until.duration_since(self.clock.now().monotonic)) => Completion::Failed,
            outcome = self.write(object) => outcome,
        }
    }

    async fn write<K: ShardedObject>(&self, object: &Lenient<K>) -> Completion {
        let api = Lenient::api(&self.kind, self.client.clone(), object.meta().namespace.as_deref());
        match write::stamp(&api, &self.config, object).await {
            Ok(stamped) => {
                self.definition.clear();
                let version = stamped.resource_version().and_then(|version| version.parse().ok());
                version.map_or(Completion::Done, Completion::Written)
            }
            Err(StampError::Request(kube::Error::Api(status))) if status.code == 404 => Completion::Done,
            Err(StampError::Request(kube::Error::Api(status))) if status.code == 409 => Completion::Conflict,
            Err(error @ (StampError::NoSubresource | StampError::NotRecorded)) => {
                let sentence = format!(
                    "{} of version {} cannot be sharded by the key label {}, and new resources are not reconciled: {error}",
                    self.kind.resource(),
                    self.kind.api.version,
                    self.config.key_label.as_deref().unwrap_or_default()
                );
                if self.definition.get().as_ref() != Some(&sentence) {
                    tracing::error!("{sentence}");
                }
                self.definition.set(sentence);
                Completion::Failed
            }
            Err(error) => {
                let cr = cr_name(object);
                let line = format!(
                    "the bucket of {cr} could not be written; this is retried, and the resource is not reconciled until then: {error}"
                );
                if let Some(withheld) = self.log_limit.due(&line, self.clock.now().monotonic) {
                    tracing::warn!(withheld, "{line}");
                }
                Completion::Failed
            }
        }
    }
}

/// Stamps the objects of the stream, several concurrently, and retries each until it is stamped or gone. `delay` is how long an object is left
/// to other replicas. Never ends.
pub(crate) async fn process_changes<'a, K: ResourceExt + Clone>(
    clock: &dyn Clock,
    delay: Duration,
    changes: impl Stream<Item = Change<K>>,
    attempt: impl Fn(K) -> BoxFuture<'a, Completion>,
) {
    let mut changes = pin!(changes.fuse());
    let mut backlog = Backlog::<K>::new(delay);
    let mut running = FuturesUnordered::new();
    loop {
        let now = clock.now().monotonic;
        while running.len() < CONCURRENCY
            && let Some(object) = backlog.take_due(now)
        {
            running.push(attempt(object.clone()).map(move |outcome| (object, outcome)));
        }
        let wait = backlog.next_due().map(|due| clock.sleep(due.duration_since(now)));
        let wait = if running.len() < CONCURRENCY { wait } else { None };
        let wait = wait.unwrap_or_else(|| std::future::pending().boxed());
        tokio::select! {
            Some(change) = changes.next() => backlog.change(change, clock.now().monotonic),
            Some((object, outcome)) = running.next() => backlog.settle(&object, outcome, clock.now().monotonic),
            () = wait => {}
        }
    }
}

/// The result of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completion {
    /// There is nothing to do, or the object is gone.
    Done,
    /// The stamp was written; the object now has this version.
    Written(u64),
    /// The object has changed since; the watch brings it again if it still needs a stamp.
    Conflict,
    /// Refused or unanswered.
    Failed,
    /// Not attempted: a reconcile of the object still runs here.
    Deferred,
}

impl Completion {
    fn word(self) -> &'static str {
        match self {
            Self::Done | Self::Written(_) => "ok",
            Self::Conflict => "conflict",
            Self::Failed => "error",
            Self::Deferred => "deferred",
        }
    }
}
