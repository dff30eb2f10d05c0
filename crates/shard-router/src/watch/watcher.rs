//! Watches that never end: each failure is logged and retried after a wait that grows.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream, stream::BoxStream};
use kube::{
    Api, Resource,
    runtime::watcher::{self, Event},
};
use lease_core::{Clock, Monotonic};
use serde::de::DeserializeOwned;

use crate::{
    observability::{log_limit::LogLimit, sentence},
    watch::backoff::WatchBackoff,
};

/// The events of one watch.
pub(crate) type Events<K> = BoxStream<'static, Result<Event<K>, watcher::Error>>;

/// What all watches of a replica share.
#[derive(Clone)]
pub(crate) struct Watcher {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) log_limit: LogLimit,
}

impl Watcher {
    /// Watches until it is dropped. A failure is passed on. The next request is sent when the backoff is over and `again` has resolved.
    pub(crate) fn watch<K>(
        &self,
        api: Api<K>,
        config: watcher::Config,
        backoff: WatchBackoff,
        again: impl Fn() -> BoxFuture<'static, ()> + Send + 'static,
    ) -> Events<K>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let this = self.clone();
        let place = place(&api);
        let events = watcher::watcher(api, config).boxed();
        let state = (events, backoff, again, None::<Duration>);
        stream::unfold(state, move |(mut events, mut backoff, again, wait)| {
            let (this, place) = (this.clone(), place.clone());
            async move {
                if let Some(wait) = wait {
                    this.clock.sleep(wait).await;
                    again().await;
                }
                let event = events.next().await?;
                let now = this.clock.now().monotonic;
                let wait = event.as_ref().err().map(|error| backoff.after(error, now));
                if let Err(error) = &event {
                    this.log(&place, error, now);
                }
                Some((event, (events, backoff, again, wait)))
            }
        })
        .boxed()
    }

    /// Logs that a list or watch of this has failed, unless the same was logged a moment ago.
    pub(crate) fn log_failure<K>(&self, api: &Api<K>, error: &watcher::Error, now: Monotonic)
    where
        K: Resource<DynamicType = ()>,
    {
        self.log(&place(api), error, now);
    }

    fn log(&self, place: &str, error: &watcher::Error, now: Monotonic) {
        let line = format!("the watch on {place} has failed and is retried: {}", sentence::of_watch(error));
        if let Some(withheld) = self.log_limit.due(&line, now) {
            tracing::warn!(withheld, "{line}");
        }
    }
}

/// What is watched: the objects with these labels, or all if that is empty.
pub(crate) fn selecting(labels: &str) -> watcher::Config {
    let all = watcher::Config::default();
    if labels.is_empty() { all } else { all.labels(labels) }
}

/// For a watch that waits for nothing but its backoff.
pub(crate) fn at_once() -> BoxFuture<'static, ()> {
    Box::pin(std::future::ready(()))
}

fn place<K: Resource>(api: &Api<K>) -> String {
    let plural = api.resource_url().rsplit('/').next().unwrap_or_default();
    match api.namespace() {
        Some(namespace) => format!("{plural} in namespace {namespace}"),
        None => format!("{plural} in all namespaces"),
    }
}

#[cfg(test)]
mod tests;
