//! What the log says around the lines of a reconciler.

use std::{convert::Infallible, sync::Arc};

use shard_router::{Action, Held};

use crate::{
    harness::Harness,
    log::Log,
    widget::{Widget, create},
};

#[tokio::test(start_paused = true)]
async fn a_line_of_a_reconciler_says_which_resource_shard_token_and_replica_it_is_about() {
    let harness = Harness::new().await;
    let (log, _guard) = Log::capture();
    create(&harness.widgets, "w", &[]).await;
    let _replica = harness.start(harness.options("op-0", 1), |_: Arc<Widget>, held: Held| async move {
        tracing::info!(expected = held.token().0, "looking");
        Ok::<_, Infallible>(Action::await_change())
    });
    harness.until("a reconcile", || async { log.count("looking") > 0 }).await;
    let text = log.text();
    let line = text.lines().find(|line| line.contains("looking")).unwrap_or_default();
    let token = line.split("expected=").nth(1).unwrap_or_default();
    for field in ["cr=\"default/w\"", "shard=0", "replica=op-0_", &format!("token={token} ")] {
        assert!(line.contains(field), "{field} is not in {line}");
    }
}
