//! What remains possible until the API server itself refuses the writes of a deposed holder: one request that stood
//! between its last check and its sending.

use std::sync::Arc;

use kube::{Api, ResourceExt};
use kube_testkit::{TestUser, eventually};
use lease_core::OnOverrun;
use lease_core::mutants::PausedWrite;

use crate::{
    TURN,
    fleet::{DEADLINE, Fleet, violations},
    scenarios::slow,
    widget::{Widget, create},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pause_between_the_last_check_and_the_sending_lets_no_more_than_that_write_out() {
    let _turn = TURN.lock().await;
    let Some(fleet) = Fleet::new("it accepts a late write").await else { return };
    let proxy = fleet.env.proxy().unwrap();
    create(&fleet.widgets, "w", &[]).await;
    let config = fleet.env.config_via(&proxy, &TestUser::admin());
    let mut options = fleet.options("pod-a", 1);
    // A process would end here. This one goes on, to see what gets out.
    options.elections.on_overrun = OnOverrun::Call(Arc::new(|why| println!("{why}")));
    let a = Fleet::assemble(Fleet::app_by(config, options), slow);
    fleet.settle_at(&[1]).await;
    fleet.begins(2).await;
    let old_token = fleet.records.of("hold-begin")[0]["token"].to_string();

    let paused = PausedWrite::next();
    eventually("a write to stand before its sending", DEADLINE, || async {
        paused.is_reached().then_some(())
    })
    .await;
    proxy.hang();
    let b = fleet.start(fleet.options("pod-b", 1), slow);
    eventually("the other replica to hold the shard and to have written", DEADLINE, || async {
        let holds = fleet.holders().await.values().any(|holder| *holder == b.identity);
        (holds && seen(&fleet.widgets).await.is_some_and(|seen| seen != old_token)).then_some(())
    })
    .await;

    proxy.resume();
    drop(paused);
    // Stated, not hidden: the write of the old hold may be accepted although the new owner has begun. Whether it is
    // depends on which comes first, the packet or the end of the task that waits for its answer. It is one write: the
    // new owner's next one stands.
    let (mut landed, so_far) = (false, fleet.records.of("begin").len());
    while fleet.records.of("begin").len() < so_far + 2 {
        landed |= seen(&fleet.widgets).await == Some(old_token.clone());
    }
    println!("the late write landed: {landed}");
    assert_ne!(seen(&fleet.widgets).await, Some(old_token));
    a.terminate().await;
    b.terminate().await;
    // And no reconcile began, or counts as running, beyond its hold.
    assert_eq!(violations(&fleet.records), [""; 0]);
}

/// The token that the last write to the widget carried.
async fn seen(widgets: &Api<Widget>) -> Option<String> {
    widgets.get("w").await.unwrap().annotations().get("seen").cloned()
}
