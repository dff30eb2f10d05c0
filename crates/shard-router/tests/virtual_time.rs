//! Whole replicas on an API server in memory, in tokio's paused time: exact, and over in no time.

#[path = "virtual_time/blackhole.rs"]
mod blackhole;
#[path = "virtual_time/clock.rs"]
mod clock;
#[path = "virtual_time/layout_change.rs"]
mod layout_change;
#[path = "virtual_time/shutdown.rs"]
mod shutdown;
#[path = "virtual_time/stage.rs"]
mod stage;
#[path = "real_api/widget.rs"]
#[expect(
    dead_code,
    reason = "these tests make an API server each, and install the definition there themselves"
)]
mod widget;

#[tokio::test(start_paused = true)]
async fn no_resource_has_two_owners_across_a_layout_change_by_hand() {
    let overlaps = layout_change::overlaps().await;
    assert!(overlaps.is_empty(), "{overlaps:#?}");
}
