//! First lists that are never answered, and the shards that wait for their turn behind them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::ResourceExt;
use shard_router::{Action, Held, ShardId};

use crate::{
    harness::Harness,
    widget::{Widget, create},
};

const SHARDS: u16 = 4;
const WIDGETS: usize = 16;

/// No first list is answered. How many are under way at once, and how many may be.
#[allow(dead_code, reason = "not every test program that shares this file needs it")]
pub(crate) async fn under_way_at_once() -> (usize, usize) {
    let harness = Harness::new().await;
    let reconcile =
        |_: Arc<Widget>, _: Held| async { Ok::<_, std::convert::Infallible>(Action::await_change()) };
    let options = harness.options("op-0", SHARDS);
    let at_once = options.concurrent_starts;
    let (network, app) = harness.app(options);
    network.swallow_lists_of_first(usize::from(SHARDS));
    let replica = Harness::run((network, app), reconcile);
    let met = || std::future::ready(replica.network.shards_with_swallowed_lists() >= at_once);
    harness.until("the first lists to be sent", met).await;
    // All shards are held by then, and no list has run into its limit.
    harness.clock.sleep(Duration::from_secs(10)).await;
    (replica.network.shards_with_swallowed_lists(), at_once)
}

/// As many first lists as may be under way at once are never answered. How long after that all shards were worked on whose lists are
/// answered; `None` if that did not happen within ten minutes.
pub(crate) async fn others_started_after() -> Option<Duration> {
    let harness = Harness::new().await;
    let shards_seen: Arc<Mutex<BTreeSet<ShardId>>> = Arc::default();
    let names_seen: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let (shards, names) = (shards_seen.clone(), names_seen.clone());
    let reconcile = move |widget: Arc<Widget>, held: Held| {
        shards.lock().expect("no panic").extend(held.shard());
        names.lock().expect("no panic").insert(widget.name_any());
        std::future::ready(Ok::<_, kube::Error>(Action::await_change()))
    };
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let options = harness.options("op-0", SHARDS);
    let at_once = options.concurrent_starts;
    assert!(at_once < usize::from(SHARDS), "otherwise nobody waits for a turn");
    let (network, app) = harness.app(options);
    network.swallow_lists_of_first(at_once);
    let replica = Harness::run((network, app), reconcile);
    let met = || std::future::ready(replica.network.shards_with_swallowed_lists() == at_once);
    harness.until("the first lists to be sent", met).await;

    let begun = harness.clock.now().monotonic;
    let others = usize::from(SHARDS) - at_once;
    while shards_seen.lock().expect("no panic").len() < others {
        if harness.clock.now().monotonic > begun + Duration::from_mins(10) {
            return None;
        }
        harness.clock.sleep(Duration::from_millis(100)).await;
    }
    let started = harness.clock.now().monotonic.duration_since(begun);
    replica.network.swallow_lists_of_first(0);
    let all = || std::future::ready(names_seen.lock().expect("no panic").len() == WIDGETS);
    harness.until("all widgets to be reconciled, once all lists are answered", all).await;
    Some(started)
}
