//! A watch on Leases that stays open and shows nothing more.

use std::{convert::Infallible, sync::Arc, time::Duration};

use shard_router::{Action, Held};

use crate::{harness::Harness, widget::Widget};

/// A replica that is alone holds all Leases, so that it reads none of them: that its own renewals do not come back is all that it can
/// notice. How long until it began another watch.
pub(crate) async fn begun_anew_after() -> Duration {
    let harness = Harness::new().await;
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::await_change()) };
    let replica = harness.start(harness.options("op-0", 2), reconcile);
    // Long enough to hold everything.
    harness.clock.sleep(Duration::from_secs(60)).await;
    let before = replica.network.lease_watches();
    let begun = harness.clock.now().monotonic;
    replica.network.hang_open_watches();
    let anew = || std::future::ready(replica.network.lease_watches() > before);
    harness.until("another watch on Leases", anew).await;
    harness.clock.now().monotonic.duration_since(begun)
}
