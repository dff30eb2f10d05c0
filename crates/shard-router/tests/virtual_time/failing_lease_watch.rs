//! A watch on Leases that keeps failing.

use std::{convert::Infallible, sync::Arc, time::Duration};

use lease_core::Timings;
use shard_router::{Action, Held};

use crate::{blackhole::LeaseWatchFailure, harness::Harness, widget::Widget};

/// The times between the watches that a replica begins, in milliseconds: first while they fail for a minute, then with one failure more after
/// it was well for almost LeaseDuration, then with one after LeaseDuration.
pub(crate) async fn pauses(failure: LeaseWatchFailure) -> (Vec<u128>, u128, u128) {
    let harness = Harness::new().await;
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    let replica = harness.start(harness.options("op-0", 2), reconcile);
    // Long enough to hold everything.
    harness.clock.sleep(Duration::from_secs(60)).await;
    let network = &replica.network;

    let fail_for = async |time: Duration| {
        let before = network.lease_watches();
        network.fail_lease_watches(Some(failure));
        network.cut();
        harness.clock.sleep(time).await;
        network.fail_lease_watches(None);
        let anew = || std::future::ready(!network.last_lease_watch_failed());
        harness.until("a watch on Leases that goes well", anew).await;
        let begun = network.lease_watches_begun().split_off(before);
        begun.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect::<Vec<_>>()
    };
    let instant = Duration::from_millis(1);
    let minute = fail_for(Duration::from_secs(60)).await;
    harness.clock.sleep(Timings::standard().lease_duration() / 2).await;
    let soon = fail_for(instant).await;
    harness.clock.sleep(Timings::standard().lease_duration()).await;
    let later = fail_for(instant).await;
    (minute, soon[0], later[0])
}
