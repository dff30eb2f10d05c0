//! Leader election off: one replica runs every shard without Leases.
//!
//! Then there must be exactly one replica, in whatever way its user sees to it. Nothing here keeps a second one from
//! reconciling the same resources, and no fencing token tells the two apart.

use std::{future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, future::ready};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    hold::Hold,
    readiness::{Readiness, ReadinessSwitch},
    reconciler::Reconciler,
    setup::Setup,
    shard::runner,
    sharded::Sharded,
    task::NamedTask,
};

/// Runs until `shutdown`, then drains.
pub(crate) async fn run<K: Sharded, R: Reconciler<K>>(
    setup: Arc<Setup<K, R>>,
    tasks: Vec<NamedTask>,
    readiness: ReadinessSwitch,
    shutdown: impl Future<Output = ()> + Send,
) {
    tracing::warn!("leader election is off: this must be the only replica");
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    for task in tasks {
        let stopped = stop.clone().cancelled_owned().boxed();
        running.spawn(task.start(setup.base.ungated(), None, stopped));
    }
    for shard in setup.layout.shards.shards() {
        running.spawn(runner::run(setup.clone(), shard, Hold::Sole(stop.clone()), ready(true)));
    }
    let stamper = setup.stamper(setup.stamper_base.ungated(), Duration::ZERO);
    tokio::select! {
        () = shutdown => {}
        () = assess(&setup, &readiness) => {}
        () = stamper.run::<K>(&setup.options.watch_namespaces) => {}
    }
    setup.metrics.ready(false);
    readiness.set(Readiness::NotReady { because: "the replica is shutting down".to_owned() });
    stop.cancel();
    let drained = async { while running.join_next().await.is_some() {} };
    tokio::select! {
        () = drained => {}
        () = setup.clock.sleep(setup.options.drain_timeout) => {
            tracing::warn!("the drain timeout has passed; what still runs is aborted");
        }
    }
    running.shutdown().await;
}

/// Never ends by itself.
async fn assess<K: Sharded, R: Reconciler<K>>(setup: &Setup<K, R>, readiness: &ReadinessSwitch) {
    loop {
        let because = setup.hindrance();
        setup.metrics.ready(because.is_none());
        readiness.set(because.map_or(Readiness::Ready, |because| Readiness::NotReady { because }));
        setup.clock.sleep(setup.options.elections.timings.hurried_retry()).await;
    }
}
