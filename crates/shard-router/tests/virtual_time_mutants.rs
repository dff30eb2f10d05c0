//! Faults switched on, for the whole process, to prove that the scenarios in virtual time see them.

#[path = "virtual_time/blackhole.rs"]
mod blackhole;
#[path = "virtual_time/clock.rs"]
mod clock;
#[path = "virtual_time/layout_change.rs"]
mod layout_change;
#[path = "virtual_time/stage.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod stage;
#[path = "real_api/widget.rs"]
#[expect(
    dead_code,
    reason = "these tests make an API server each, and install the definition there themselves"
)]
mod widget;

use shard_router::mutants::{Mutant, activate};

#[tokio::test(start_paused = true)]
async fn a_new_lease_that_goes_by_its_name_is_found_out() {
    activate(Some(Mutant::NewLeaseGoesByItsName));
    let overlaps = layout_change::overlaps().await;
    activate(None);
    println!("{} overlaps, such as {:?}", overlaps.len(), overlaps.first());
    assert!(!overlaps.is_empty(), "not found out");
}
