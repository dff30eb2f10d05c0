//! The coordinator reads the ConfigMap, for as long as its term lasts.

use std::{pin::pin, time::Duration};

use futures::{StreamExt, future::pending};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Resource,
    runtime::{
        events::{self, EventType},
        watcher::{self, Event},
    },
};
use lease_core::Backoff;
use tokio::sync::watch;

use crate::{
    setup::Setup,
    wanted_shards::{ShardsConfigMap, Wanted, number_in},
    watch::watcher::at_once,
};

/// The `reason` of the event.
const REASON: &str = "ShardCountRefused";

/// Follows the ConfigMap, and sends what is wanted. Never ends by itself.
pub(crate) async fn follow(
    setup: &Setup,
    config_map: &ShardsConfigMap,
    client: Client,
    wanted: &watch::Sender<Wanted>,
) {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &config_map.namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", config_map.name));
    let mut watch = pin!(setup.watcher().watch(api, config, setup.watch_backoff(), at_once));
    let mut reader =
        Reader { setup, config_map, client, wanted, to_report: None, reported: None, listed: false };
    let mut backoff = Backoff::new(setup.options.elections.timings);
    let mut pause: Option<Duration> = None;
    loop {
        let retry = async {
            match pause {
                Some(pause) => setup.clock.sleep(pause).await,
                None => pending().await,
            }
        };
        tokio::select! {
            event = watch.next() => match event {
                Some(Ok(event)) => reader.take(event),
                // It has been logged, and the watch goes on.
                Some(Err(_)) => continue,
                None => return pending().await,
            },
            () = retry => {}
        }
        pause = reader.report().await.err().map(|_| backoff.after_failure(setup.clock.now().monotonic));
    }
}

struct Reader<'a> {
    setup: &'a Setup,
    config_map: &'a ShardsConfigMap,
    client: Client,
    wanted: &'a watch::Sender<Wanted>,
    /// A refusal of which no event has been published yet.
    to_report: Option<(ConfigMap, String)>,
    /// The uid and the text of the last event. The ConfigMap may be written again, or listed again, without any news.
    reported: Option<(Option<String>, String)>,
    /// Whether the list that is under way has shown the ConfigMap.
    listed: bool,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<ConfigMap>) {
        match event {
            Event::Init => self.listed = false,
            Event::InitApply(config_map) => {
                self.listed = true;
                self.read(config_map);
            }
            Event::Apply(config_map) => self.read(config_map),
            Event::InitDone if self.listed => {}
            Event::InitDone | Event::Delete(_) => self.missing(),
        }
    }

    fn read(&mut self, config_map: ConfigMap) {
        match number_in(&config_map) {
            Ok(shards) => {
                self.settle();
                if self.send(Wanted::Shards(shards)) {
                    tracing::info!(%shards, "{} says how many shards are wanted", self.place());
                }
            }
            Err(why) => {
                self.setup.metrics.shard_count_refused(true);
                self.send(Wanted::AsItIs);
                self.say(&format!("{} does not say how many shards are wanted: {why}", self.place()));
                let news = Some((config_map.metadata.uid.clone(), why.clone()));
                if self.reported != news {
                    self.to_report = Some((config_map, why));
                }
            }
        }
    }

    fn missing(&mut self) {
        self.settle();
        self.send(Wanted::AsItIs);
        let key = ShardsConfigMap::KEY;
        self.say(&format!(
            "{} does not exist; the number of shards stays as it is, until it is created with the key {key:?}",
            self.place()
        ));
    }

    /// Nothing is refused any more.
    fn settle(&mut self) {
        (self.to_report, self.reported) = (None, None);
        self.setup.metrics.shard_count_refused(false);
    }

    /// Returns whether that is news.
    fn send(&self, wanted: Wanted) -> bool {
        self.wanted.send_if_modified(|before| std::mem::replace(before, wanted) != wanted)
    }

    /// Publishes an event about a refusal, once for each.
    async fn report(&mut self) -> Result<(), kube::Error> {
        let Some((config_map, why)) = &self.to_report else { return Ok(()) };
        let event = events::Event {
            type_: EventType::Warning,
            reason: REASON.to_owned(),
            note: Some(format!("The ConfigMap does not say how many shards are wanted: {why}")),
            action: "ReadShardCount".to_owned(),
            secondary: None,
        };
        let recorder = events::Recorder::new(self.client.clone(), self.setup.reporter());
        let published = recorder.publish(&event, &config_map.object_ref(&())).await;
        match &published {
            Ok(()) => {
                let reported = self.to_report.take();
                self.reported = reported.map(|(config_map, why)| (config_map.metadata.uid, why));
            }
            Err(error) => self.say(&format!(
                "the event on {} about its number of shards could not be published; this is retried: {error}",
                self.place()
            )),
        }
        published
    }

    fn place(&self) -> String {
        format!("ConfigMap {}/{}", self.config_map.namespace, self.config_map.name)
    }

    fn say(&self, line: &str) {
        if let Some(withheld) = self.setup.log_limit.due(line, self.setup.clock.now().monotonic) {
            tracing::warn!(withheld, "{line}");
        }
    }
}

impl Drop for Reader<'_> {
    /// The next coordinator reads it for itself, and has the metric.
    fn drop(&mut self) {
        self.setup.metrics.shard_count_refused(false);
    }
}
