//! When a replica is ready, and what it says when it is not.

use std::{convert::Infallible, sync::Arc, time::Duration};

use lease_core::Timings;
use shard_router::{Action, Held, Options, Readiness, ReadinessProbe};

use crate::{
    harness::{Harness, Replica},
    widget::{Widget, create},
};

/// Between two looks at what readiness goes by, several times over.
const NEXT_LOOK: Duration = Duration::from_secs(3);

struct Watched {
    replica: Replica,
    readiness: ReadinessProbe,
}

impl Watched {
    /// A replica whose network is set up like this before it starts.
    fn start(harness: &Harness, options: Options, network: impl FnOnce(&Replica)) -> Self {
        let app = harness.app(options);
        let readiness = app.1.readiness();
        let reconcile = |_: Arc<Widget>, held: Held| async move {
            // Ends when it is aborted, at the end of the drain timeout.
            held.draining().await;
            std::future::pending::<Result<Action, Infallible>>().await
        };
        let replica = Harness::run(app, reconcile);
        network(&replica);
        Self { replica, readiness }
    }

    fn says(&self, part: &str) -> bool {
        matches!(self.readiness.get(), Readiness::NotReady { because } if because.contains(part))
    }

    async fn until_it_says(&self, harness: &Harness, part: &str) {
        harness.until(&format!("it to be not ready because of {part:?}"), || async { self.says(part) }).await;
    }

    async fn until_ready(&self, harness: &Harness) {
        let ready = || async { self.readiness.get() == Readiness::Ready };
        harness.until("it to be ready", ready).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_is_not_ready_before_it_knows_the_leases_nor_when_it_hears_nothing() {
    let harness = Harness::new().await;
    let timings = Timings::standard();
    let watched =
        Watched::start(&harness, harness.options("op-0", 2), |replica| replica.network.swallow(true));
    assert!(watched.says("the replica is starting"), "{:?}", watched.readiness.get());
    watched.until_it_says(&harness, "the Leases have not been listed yet").await;
    watched.replica.network.cut();
    watched.replica.network.swallow(false);
    watched.until_ready(&harness).await;

    watched.replica.network.swallow(true);
    harness.clock.sleep(timings.lease_duration().saturating_sub(timings.retry_period())).await;
    assert_eq!(watched.readiness.get(), Readiness::Ready, "it may have lost its Leases, which is no reason");
    watched.until_it_says(&harness, "nothing was heard from the API server").await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_leases_or_resources_says_so() {
    for (plural, says) in [("leases", "op may not"), ("widgets", "op may not list widgets.")] {
        let harness = Harness::new().await;
        let options = harness.options("op-0", 2);
        let watched = Watched::start(&harness, options, |replica| replica.network.forbid(Some(plural)));
        watched.until_it_says(&harness, says).await;
        watched.replica.network.forbid(None);
        watched.until_ready(&harness).await;
    }
}

/// It is not asked for a right that it can do without.
#[tokio::test(start_paused = true)]
async fn one_that_may_not_look_at_namespaces_is_ready() {
    let harness = Harness::new().await;
    let options = harness.options("op-0", 2).with_watch_namespaces(["default", "team-aa"]);
    let watched = Watched::start(&harness, options, |replica| replica.network.forbid(Some("namespaces")));
    watched.until_ready(&harness).await;
    harness.clock.sleep(NEXT_LOOK).await;
    assert_eq!(watched.readiness.get(), Readiness::Ready);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_refused_resources_says_so_without_leader_election_as_well() {
    let harness = Harness::new().await;
    let mut options = harness.options("op-0", 2);
    options.elections.leader_election = false;
    let watched = Watched::start(&harness, options, |replica| replica.network.forbid(Some("widgets")));
    watched.until_it_says(&harness, "op may not list widgets.").await;
    watched.replica.network.forbid(None);
    watched.until_ready(&harness).await;
}

/// What is held and not worked on counts after LeaseDuration: a first list takes its time.
#[tokio::test(start_paused = true)]
async fn one_whose_shard_is_held_and_not_worked_on_has_lease_duration_to_begin() {
    let harness = Harness::new().await;
    let lease_duration = Timings::standard().lease_duration();
    let watched = Watched::start(&harness, harness.options("op-0", 1), |replica| {
        replica.network.swallow_lists_of_first(1);
    });
    let is_asked = || async { watched.replica.network.shards_with_swallowed_lists() > 0 };
    harness.until("the first list of the shard", is_asked).await;
    harness.clock.sleep(lease_duration.saturating_sub(NEXT_LOOK)).await;
    assert_eq!(watched.readiness.get(), Readiness::Ready);
    harness.clock.sleep(2 * NEXT_LOOK).await;
    assert!(watched.says("shard 0 is held"), "{:?}", watched.readiness.get());
}

#[tokio::test(start_paused = true)]
async fn one_that_shuts_down_is_not_ready_from_the_beginning_of_it() {
    for leader_election in [true, false] {
        let harness = Harness::new().await;
        create(&harness.widgets, "one", &[]).await;
        let mut options = harness.options("op-0", 1);
        options.elections.leader_election = leader_election;
        let watched = Watched::start(&harness, options, |_| ());
        watched.until_ready(&harness).await;
        // Its reconcile has begun by then, and does not end by itself.
        harness.clock.sleep(Timings::standard().takeover_bound() * 3).await;
        let Watched { replica, readiness } = watched;
        replica.stop.send(()).expect("it runs");
        harness.clock.sleep(NEXT_LOOK).await;
        assert!(!replica.task.is_finished(), "nothing is left to see");
        let shuts_down = matches!(readiness.get(), Readiness::NotReady { because } if because == "the replica is shutting down");
        assert!(shuts_down, "{:?}", readiness.get());
    }
}
