//! The driver with the legacy lock on ConfigMaps: the tests of Leases, on the same API server, and client-go candidates of the last version that had the lock.
#![expect(clippy::disallowed_methods, reason = "these tests run in real time, and measure it")]

/// What these tests hold elections on.
mod lock {
    use kube::Client;
    use kube_testkit::RealEnv;
    use lease_core::ResourceLock;

    pub(crate) const LOCK: ResourceLock = ResourceLock::ConfigMaps;

    /// A client to which the objects of the lock are Leases.
    pub(crate) fn client(env: &RealEnv) -> Client {
        crate::translated::client(env, LOCK)
    }
}
#[path = "real_api/chronicle.rs"]
mod chronicle;
#[path = "real_api/race.rs"]
mod race;
#[path = "real_api/referee.rs"]
mod referee;
#[path = "real_api/stranger.rs"]
mod stranger;
#[path = "real_api/support.rs"]
mod support;
#[path = "legacy_locks/translated.rs"]
mod translated;
#[path = "real_api/waiting.rs"]
mod waiting;

#[path = "real_api/expiry.rs"]
mod expiry;
#[path = "real_api/handoff.rs"]
mod handoff;
#[path = "real_api/manual_edits.rs"]
mod manual_edits;
#[path = "real_api/network.rs"]
mod network;
#[path = "legacy_locks/own.rs"]
mod own;
#[path = "real_api/release.rs"]
mod release;

#[path = "client_go/build.rs"]
mod build;
#[path = "client_go/candidate.rs"]
mod candidate;
#[path = "client_go/contend.rs"]
mod contend;
#[path = "client_go/story.rs"]
mod story;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_candidates_race_for_the_lock_and_it_goes_to_one() {
    let Some(env) = kube_testkit::real("conditional updates decide the race").await else { return };
    let violations = race::race(&env).await;
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}
