//! The stamper: writes a bucket on what has none, and puts back what was stripped or edited.
//!
//! The bucket is a pure function of the object and each write is conditional, so it does no harm if two replicas stamp the
//! same object. The coordinator stamps at once; every other replica watches too, and stamps what stays
//! unstamped for long; the owner of a shard puts right what carries its label and does not fit.

mod backlog;
mod write;

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use futures::{FutureExt, Stream, StreamExt, future::ready, stream::FuturesUnordered};
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use lease_core::Clock;

use self::backlog::Backlog;
pub(crate) use self::write::Rules;
use self::write::StampError;
use crate::{
    layout::unstamped_selector,
    metrics::Metrics,
    scope::{apis, merged},
    setup::Trouble,
    sharded::Sharded,
    watch_backoff::WatchBackoff,
};

/// What a watch of objects in need of a stamp has to say.
#[derive(Debug)]
pub(crate) enum Change<K> {
    /// The object needs a stamp, as it stands here.
    Seen(K),
    /// It is stamped by now, or gone.
    Gone(K),
}

/// How many stamps may be under way at once: enough for a fleet that appears overnight, and far below what the API
/// server's fairness would throttle.
const CONCURRENCY: usize = 16;

/// One stamper.
#[derive(Clone)]
pub(crate) struct Stamper {
    pub(crate) rules: Arc<Rules>,
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    /// What is wrong with the custom resource definition, for readiness.
    pub(crate) definition: Arc<Trouble>,
    /// How long to leave an object to others.
    pub(crate) delay: Duration,
    /// For the retries of its watches.
    pub(crate) backoff_seed: u64,
}

impl Stamper {
    /// Stamps all objects of the namespaces (all, if none is named) that carry no valid bucket label. Never ends.
    pub(crate) async fn run<K: Sharded>(&self, namespaces: &BTreeSet<String>) {
        let config = watcher::Config::default().labels(&unstamped_selector(&self.rules.bucket_label));
        let seeds = (0..).map(|nth| self.backoff_seed.wrapping_add(nth));
        let watches = apis::<K>(&self.client, namespaces).into_iter().zip(seeds).map(|(api, seed)| {
            watcher::watcher(api, config.clone()).backoff(WatchBackoff::seeded(seed)).boxed()
        });
        let changes = merged(watches.collect()).filter_map(|event| {
            ready(match event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                    Some(Change::Seen(object))
                }
                Ok(watcher::Event::Delete(object)) => Some(Change::Gone(object)),
                Ok(watcher::Event::Init | watcher::Event::InitDone) => None,
                Err(error) => {
                    tracing::warn!(%error, "the watch for resources without a bucket has failed; it is retried");
                    None
                }
            })
        });
        self.restore(changes, |_| true).await;
    }

    /// Stamps what the stream brings, as far as `may` permits at the time.
    pub(crate) async fn restore<K: Sharded>(
        &self,
        changes: impl Stream<Item = Change<K>>,
        may: impl Fn(&K) -> bool,
    ) {
        let mut changes = pin!(changes.fuse());
        let mut backlog = Backlog::new(self.delay);
        let mut running = FuturesUnordered::new();
        loop {
            let now = self.clock.now().monotonic;
            while running.len() < CONCURRENCY
                && let Some(object) = backlog.take_due(now)
            {
                let permitted = may(&object);
                running.push(async move {
                    let outcome = if permitted { self.stamp(&object).await } else { Outcome::NotYet };
                    (object, outcome)
                });
            }
            let wait = backlog.next_due().map(|due| self.clock.sleep(due.saturating_sub(now)));
            let wait = if running.len() < CONCURRENCY { wait } else { None };
            let wait = wait.unwrap_or_else(|| std::future::pending().boxed());
            tokio::select! {
                Some(change) = changes.next() => backlog.change(change, self.clock.now().monotonic),
                Some((object, outcome)) = running.next() => {
                    self.metrics.stamped(outcome.word());
                    backlog.settle(&object, outcome, self.clock.now().monotonic);
                }
                () = wait => {}
            }
        }
    }

    async fn stamp<K: Sharded>(&self, object: &K) -> Outcome {
        let namespace = object.meta().namespace.clone().unwrap_or_default();
        let api: Api<K> = Api::namespaced(self.client.clone(), &namespace);
        match write::stamp(&api, &self.rules, object).await {
            Ok(()) => {
                self.definition.clear();
                Outcome::Done
            }
            Err(StampError::Request(kube::Error::Api(status))) if status.code == 404 => Outcome::Done,
            Err(StampError::Request(kube::Error::Api(status))) if status.code == 409 => Outcome::Conflict,
            Err(error @ (StampError::NoSubresource | StampError::NotRecorded)) => {
                let sentence = format!(
                    "the custom resource definition {}.{} of version {} cannot be sharded, and nobody reconciles its resources: \
                     {error}",
                    K::plural(&()),
                    K::group(&()),
                    K::version(&())
                );
                if self.definition.get().as_ref() != Some(&sentence) {
                    tracing::error!("{sentence}");
                }
                self.definition.set(sentence);
                Outcome::Failed
            }
            Err(error) => {
                tracing::warn!(
                    cr = crate::sharded::cr_name(object), %error,
                    "the bucket could not be written; it is retried, and nobody reconciles the resource until then"
                );
                Outcome::Failed
            }
        }
    }
}

/// What came of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Written, or there is nothing to write on any more.
    Done,
    /// The object has changed since; the watch brings it again if it still needs a stamp.
    Conflict,
    /// Refused or unanswered.
    Failed,
    /// A reconcile of it still runs here.
    NotYet,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Conflict => "conflict",
            Self::Failed => "error",
            Self::NotYet => "deferred",
        }
    }
}
