//! Faults switched on one at a time, for the whole process, to prove that the tests on a real API server see them.
#![expect(clippy::disallowed_methods, reason = "these tests run in real time, and measure it")]

#[path = "real_api/chronicle.rs"]
mod chronicle;
#[path = "real_api/lock.rs"]
mod lock;
#[path = "real_api/race.rs"]
mod race;
#[path = "real_api/referee.rs"]
mod referee;
#[path = "real_api/stranger.rs"]
mod stranger;
#[path = "real_api/support.rs"]
mod support;

#[path = "real_api/resurrection.rs"]
mod resurrection;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_without_a_uid_brings_a_deleted_lease_back_and_is_found_out() {
    let _turn = TURN.lock().await;
    let Some(env) = kube_testkit::real("what it does with an update of a deleted Lease").await else {
        return;
    };
    for mutant in [None, Some(Mutant::UpdateWithoutUid)] {
        activate(mutant);
        let violations =
            resurrection::of(&env, &format!("{mutant:?}").to_lowercase().replace(['(', ')'], "")).await;
        activate(None);
        println!("{mutant:?}: {violations:?}");
        assert_eq!(violations.is_empty(), mutant.is_none(), "{violations:?}");
    }
}
