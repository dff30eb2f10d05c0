//! Faults switched on one at a time, for the whole process, to prove that the tests on a real API server see them.
#![expect(clippy::disallowed_methods, reason = "these tests run in real time, and measure it")]

#[path = "real_api/chronicle.rs"]
mod chronicle;
#[path = "real_api/race.rs"]
mod race;
#[path = "real_api/referee.rs"]
mod referee;
#[path = "real_api/support.rs"]
mod support;

use lease_core::mutants::{Mutant, activate};
use tokio::sync::Mutex;

/// One mutant at a time.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_without_a_resource_version_is_found_out() {
    let _turn = TURN.lock().await;
    let Some(env) = kube_testkit::real("it accepts a patch that names no version").await else { return };
    activate(Some(Mutant::TakeoverWithoutVersion));
    let violations = race::race(&env).await;
    activate(None);
    println!("{} violations, such as {:?}", violations.len(), violations.first());
    assert!(
        violations.iter().any(|what| what.contains("and these took it")),
        "no second winner was reported"
    );
}
