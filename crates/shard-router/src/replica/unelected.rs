//! Leader election off: one replica runs every shard without Leases, and the kinds that are not sharded.
//!
//! The user has to make sure that there is exactly one replica. Nothing here prevents a second one from
//! reconciling the same resources, and there are no fencing tokens.

use std::{
    future::{Future, ready},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, future::join_all};
use lease_core::{Candidate, CandidateOptions, Connection, Elections, Term};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    error::RunError,
    kinds::Kinds,
    observability::readiness::{Readiness, ReadinessSwitch},
    routing::part::Part,
    setup::Setup,
    shard::hold::{self, ShardHold},
    task::NamedTask,
};

/// Runs until `shutdown`, then drains.
pub(crate) async fn run(
    setup: Arc<Setup>,
    kinds: Kinds,
    connection: Connection,
    tasks: Vec<NamedTask>,
    readiness: ReadinessSwitch,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    tracing::warn!("leader election is off: this must be the only replica");
    let elections = Elections::start(connection, setup.options.elections.clone()).await?;
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    for task in tasks {
        let stopped = stop.clone().cancelled_owned().boxed();
        running.spawn(task.start(setup.task_clients.ungated(), None, stopped));
    }
    // Nobody commits another one.
    setup.layouts.fixed(&setup.layout);
    let parts = setup.layout.shards.shards().map(Part::Shard).chain([Part::Unsharded]);
    let parts: Vec<Candidate> =
        parts.map(|part| lead(&setup, &kinds, &elections, part)).collect::<Result<_, _>>()?;
    let stamper = setup.stamper_clients.ungated();
    tokio::select! {
        () = shutdown => {}
        () = assess(&setup, &kinds, &readiness) => {}
        () = kinds.stamp(&stamper, Duration::ZERO, None) => {}
    }
    setup.metrics.ready(false);
    let because = "the replica is shutting down".to_owned();
    readiness.set(Readiness::NotReady { because }, setup.clock.now().monotonic);
    stop.cancel();
    let tasks_ended = async {
        tokio::select! {
            () = async { while running.join_next().await.is_some() {} } => {}
            () = setup.clock.sleep(setup.options.drain_timeout) => {
                tracing::warn!("the drain timeout has passed; the tasks that still run are aborted");
            }
        }
    };
    // Each candidate aborts and joins its work after the drain timeout, which a timer here must not cut short.
    tokio::join!(join_all(parts.into_iter().map(Candidate::shutdown)), tasks_ended);
    running.shutdown().await;
    elections.shutdown().await;
    Ok(())
}

/// Works on a part from now on: without leader election, a candidate that contends is the leader at once.
fn lead(setup: &Arc<Setup>, kinds: &Kinds, elections: &Elections, part: Part) -> Result<Candidate, RunError> {
    let options = CandidateOptions::default().drain_timeout(setup.options.drain_timeout).announce(false);
    let work = {
        let (setup, kinds) = (setup.clone(), kinds.clone());
        move |term: Term| {
            let (setup, kinds) = (setup.clone(), kinds.clone());
            async move {
                match part {
                    Part::Shard(shard) => {
                        let hold = ShardHold { setup, kinds, shard, term, acknowledgement: None };
                        Box::pin(hold::run(hold, ready(true))).await;
                    }
                    Part::Unsharded => Box::pin(hold::unsharded(setup, kinds, term, ready(true))).await,
                }
            }
        }
    };
    let lease = match part {
        Part::Shard(shard) => setup.names.shard(shard)?,
        Part::Unsharded => setup.names.coordinator(),
    };
    Ok(elections.candidate(lease, options, work)?)
}

/// Never ends by itself.
async fn assess(setup: &Setup, kinds: &Kinds, readiness: &ReadinessSwitch) {
    loop {
        let because = setup.problem(kinds);
        setup.metrics.ready(because.is_none());
        let now = setup.clock.now().monotonic;
        readiness.set(because.map_or(Readiness::Ready, |because| Readiness::NotReady { because }), now);
        setup.clock.sleep(setup.options.elections.timings.hurried_retry()).await;
    }
}
