//! The same sequence, once by client-go alone and once by Rust alone: the Lease goes through the same states.

use std::collections::BTreeSet;
use std::time::Duration;

use kube_testkit::RealEnv;
use lease_core::NOBODY;

use crate::candidate::GoCandidate;
use crate::chronicle::{Chronicle, Entry};
use crate::contend::{both, renewed};
use crate::lock::LOCK;
use crate::support::{DEADLINE, ID, leases, replica};
use crate::waiting::{idle, leads, sees_holder};

/// What a state of the Lease says, without the times and without repetitions by renewals.
#[derive(Debug, PartialEq, Eq)]
struct Chapter {
    holder: Option<String>,
    duration: Option<i32>,
    transitions: Option<i32>,
    fields: BTreeSet<String>,
    /// Whether acquireTime is renewTime in the first state of the chapter.
    acquired_as_renewed: bool,
    /// Whether acquireTime stays while renewTime grows, through the renewals of the chapter.
    renewals_in_order: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_is_written_as_client_go_writes_it() {
    let Some(env) = both().await else { return };
    let Some(other) = both().await else { return };
    let (go, rust) = tokio::join!(told_by_client_go(&env), told_by_rust(&other));
    assert_eq!(rust, go);
    let held: Vec<_> = go.iter().map(|chapter| chapter.holder.as_deref().unwrap_or("absent")).collect();
    assert_eq!(held, ["one_1", "", "two_1", ""]);
    assert!(go.iter().all(|chapter| chapter.renewals_in_order));
}

async fn told_by_client_go(env: &RealEnv) -> Vec<Chapter> {
    let chronicle = Chronicle::of(leases(env)).await;
    let duration = Duration::from_secs(5);
    let one = GoCandidate::start(env, "one", duration);
    one.says("leading").await;
    let two = GoCandidate::start(env, "two", duration);
    two.says("observed one_1").await;
    renewed(&chronicle, 2).await;
    one.terminate().await;
    two.says("leading").await;
    renewed(&chronicle, 2).await;
    two.terminate().await;
    two.says("stopped").await;
    told(&chronicle).await
}

async fn told_by_rust(env: &RealEnv) -> Vec<Chapter> {
    let chronicle = Chronicle::of(leases(env)).await;
    let (one, two) = (replica(env, "one").await, replica(env, "two").await);
    let leader = one.lead(idle);
    leads(&leader, "the first leads").await;
    let standby = two.lead(idle);
    sees_holder(&standby, "one_1").await;
    renewed(&chronicle, 2).await;
    leader.shutdown().await;
    leads(&standby, "the second leads").await;
    renewed(&chronicle, 2).await;
    standby.shutdown().await;
    told(&chronicle).await
}

/// The story, once it has its four chapters.
async fn told(chronicle: &Chronicle) -> Vec<Chapter> {
    let chapters = kube_testkit::eventually("the last release", DEADLINE, || {
        // A Rust candidate makes a Lease with a placeholder for its holder, which has to expire like any other. Nobody
        // has led by then, and the story has not begun.
        let mut chapters = chapters(&chronicle.of_lease(ID));
        chapters.retain(|chapter| chapter.holder.as_deref() != Some(NOBODY));
        std::future::ready((chapters.len() >= 4).then_some(chapters))
    })
    .await;
    assert_eq!(chronicle.violations(), Vec::<String>::new());
    chapters
}

fn chapters(entries: &[Entry]) -> Vec<Chapter> {
    let same = |one: &Entry, other: &Entry| one.spec.holder_identity == other.spec.holder_identity;
    entries
        .chunk_by(same)
        .map(|states| {
            let first = &states[0].spec;
            let spec = serde_json::to_value(first).expect("a spec is plain data");
            let acquired = |entry: &Entry| entry.spec.acquire_time.as_ref().map(|time| time.0);
            let renewed = |entry: &Entry| entry.spec.renew_time.as_ref().map(|time| time.0);
            Chapter {
                holder: first.holder_identity.clone(),
                duration: first.lease_duration_seconds,
                transitions: first.lease_transitions,
                fields: spec.as_object().map(|spec| spec.keys().cloned().collect()).unwrap_or_default(),
                acquired_as_renewed: acquired(&states[0]) == renewed(&states[0]),
                renewals_in_order: states.windows(2).all(|pair| {
                    // client-go may renew twice within a second, which is all that a legacy lock keeps of the time.
                    let in_order = renewed(&pair[0]) < renewed(&pair[1])
                        || LOCK.is_legacy() && renewed(&pair[0]) == renewed(&pair[1]);
                    acquired(&pair[0]) == acquired(&pair[1]) && in_order
                }),
            }
        })
        .collect()
}
