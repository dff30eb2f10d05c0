//! Restores of etcd under replicas that run. These tests stop the API server, so they share it with no others, and switch faults on
//! for the whole process: one at a time.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

#[path = "real_api/fleet.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod fleet;
#[path = "real_api/restore.rs"]
mod restore;
#[path = "real_api/widget.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod widget;

use std::time::Duration;

use fleet::{Fleet, violations};
use kube_testkit::BackendChoice;
use lease_core::{
    Timings,
    mutants::{Mutant, activate},
};
use tokio::sync::Mutex;

static TURN: Mutex<()> = Mutex::const_new(());

/// Short, and with room for a machine that is busy.
fn timings() -> Timings {
    Timings::new(Duration::from_secs(10), Duration::from_secs(6), Duration::from_secs(1)).unwrap()
}

/// Validity outlasts a restart of the API server.
fn patient() -> Timings {
    Timings::new(Duration::from_secs(40), Duration::from_secs(30), Duration::from_secs(2)).unwrap()
}

/// `None`, having said why, where etcd is not a process of this one.
async fn fleet() -> Option<Fleet> {
    let fleet = Fleet::new("etcd is restored from a backup").await?;
    if fleet.env.backend() != BackendChoice::Local {
        kube_testkit::skip("only the local backend can restore its etcd from a backup");
        return None;
    }
    Some(fleet)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_go_on_by_themselves_with_what_the_backup_has() {
    let _turn = TURN.lock().await;
    let Some(fleet) = fleet().await else { return };
    let found = restore::restore(&fleet, timings(), 2 * timings().lease_duration()).await;
    assert_eq!(found, [""; 0]);
    let falls = violations(&fleet.records);
    assert!(falls.iter().any(|fall| fall.contains("did not grow")), "the checker must see tokens fall");
}

/// The API server is down for as long as it takes to start it, shorter than documented: else no term is left to survive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_that_outlast_the_restore_end_with_it() {
    let _turn = TURN.lock().await;
    let Some(fleet) = fleet().await else { return };
    let found = restore::restore(&fleet, patient(), Duration::ZERO).await;
    assert_eq!(found, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_term_that_survives_the_restore_is_found_out() {
    let _turn = TURN.lock().await;
    let Some(fleet) = fleet().await else { return };
    activate(Some(Mutant::TermsSurviveRewind));
    let found = restore::restore(&fleet, patient(), Duration::ZERO).await;
    activate(None);
    println!("{} faults, such as {:?}", found.len(), found.first());
    assert!(found.iter().any(|what| what.contains("a hold of the lost history")), "not found out: {found:?}");
}
