//! The driver against a real API server.
#![expect(clippy::disallowed_methods, reason = "these tests run in real time, and measure it")]

#[path = "real_api/annotations.rs"]
mod annotations;
#[path = "real_api/child.rs"]
mod child;
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
#[path = "real_api/waiting.rs"]
mod waiting;

#[path = "real_api/expiry.rs"]
mod expiry;
#[path = "real_api/handoff.rs"]
mod handoff;
#[path = "real_api/kubectl.rs"]
mod kubectl;
#[path = "real_api/manual_edits.rs"]
mod manual_edits;
#[path = "real_api/network.rs"]
mod network;
#[path = "real_api/outage.rs"]
mod outage;
#[path = "real_api/paused.rs"]
mod paused;
#[path = "real_api/rbac.rs"]
mod rbac;
#[path = "real_api/release.rs"]
mod release;
#[path = "real_api/wedge.rs"]
mod wedge;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_candidates_race_for_thirty_two_leases_and_each_goes_to_one() {
    let Some(env) = kube_testkit::real("conditional updates decide the race").await else { return };
    let violations = race::race(&env).await;
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
