//! A rolling update to replicas with a key label, which are to replace the layout of those without one.

use std::time::Duration;

use kube::ResourceExt;
use shard_router::{Options, ShardId};

use crate::{
    fleet::{Fleet, Outcome, quick},
    harness::ID,
    widget::{LABEL, create},
};

const FORMER: [&str; 3] = ["op-0", "op-1", "op-2"];
const NEW: [&str; 3] = ["op-3", "op-4", "op-5"];
const SHARDS: u16 = 4;

/// Replaces the replicas one by one.
pub(crate) async fn by_a_rolling_update() -> Outcome {
    let mut fleet = Fleet::start(&FORMER, SHARDS).await;
    for (former, new) in FORMER.into_iter().zip(NEW) {
        add(&mut fleet, new);
        fleet.harness.clock.sleep(Duration::from_secs(3)).await;
        fleet.end(former).await;
    }
    fleet.settled(SHARDS).await;
    assert_eq!(key_label(&fleet).await.as_deref(), Some("tenant"));
    fleet.finish().await
}

/// A former replica is cut off with shards in its hands, and works on until its validity ends. The others end in good order.
pub(crate) async fn while_a_holder_is_cut_off() -> Outcome {
    let fleet = cut_off(quick).await;
    fleet.settled(SHARDS).await;
    fleet.harness.clock.sleep(Duration::from_secs(20)).await;
    fleet.finish().await
}

/// In that case, whether a resource that is made after the commit got its bucket before the layout was settled.
pub(crate) async fn stamps_before_it_is_settled() -> bool {
    let fleet = cut_off(quick).await;
    create(&fleet.harness.widgets, "late", &[("tenant", "blue")]).await;
    let stamped = || async {
        fleet.harness.widgets.get("late").await.is_ok_and(|widget| widget.labels().contains_key(LABEL))
    };
    fleet.harness.until("the late widget to be stamped", stamped).await;
    !fleet.layout().await.expect("a layout").settled
}

/// Without being asked to, nobody replaces a layout. Which generation is committed after all of the former replicas have ended.
pub(crate) async fn unasked() -> u64 {
    let mut fleet = Fleet::start(&FORMER[..1], SHARDS).await;
    let options = keyed(&fleet, NEW[0]).with_layout_replacement(false);
    fleet.add_with(NEW[0], options);
    fleet.end(FORMER[0]).await;
    fleet.harness.clock.sleep(Duration::from_secs(60)).await;
    fleet.layout().await.expect("a layout").generation
}

/// The layout has been replaced while a former replica that held shards is cut off.
async fn cut_off(takes: fn(ShardId) -> Duration) -> Fleet {
    let mut fleet = Fleet::reconciling(&FORMER, SHARDS, takes).await;
    let (_, cut_off) = fleet.shard_of_another(0, SHARDS).await;
    assert_ne!(fleet.holder(ID).await, Some(cut_off));
    // New replicas have watched the shard Leases for as long as a recovery takes.
    for new in NEW {
        add(&mut fleet, new);
    }
    fleet.harness.clock.sleep(Duration::from_secs(20)).await;
    fleet.replicas[cut_off].network.swallow(true);
    for former in FORMER.into_iter().filter(|former| *former != cut_off) {
        fleet.end(former).await;
    }
    fleet.committed(2).await;
    assert_eq!(key_label(&fleet).await.as_deref(), Some("tenant"));
    fleet
}

async fn key_label(fleet: &Fleet) -> Option<String> {
    fleet.layout().await.expect("a layout").key_label
}

fn add(fleet: &mut Fleet, pod: &'static str) {
    let options = keyed(fleet, pod);
    fleet.add_with(pod, options);
}

fn keyed(fleet: &Fleet, pod: &str) -> Options {
    let options = fleet.harness.options(pod, SHARDS).with_key_label("tenant".to_owned());
    options.with_layout_replacement(true)
}
