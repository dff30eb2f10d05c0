//! One Lease, a Rust and a client-go candidate.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use kube_testkit::{RealEnv, TestUser};
use lease_core::{State, Timings};

use crate::candidate::{GoCandidate, program};
use crate::chronicle::Chronicle;
use crate::support::{DEADLINE, ID, leases, now, options, replica, replica_at, since, spec};
use crate::waiting::{MARGIN, idle, leads, over, sees, sees_holder};

/// An API server and a client-go candidate, or a line that says which of them this machine has not.
pub(crate) async fn both() -> Option<RealEnv> {
    if let Err(reason) = program() {
        kube_testkit::skip(&reason);
        return None;
    }
    kube_testkit::real("client-go and Rust contend on it").await
}

const FIVE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_goes_from_rust_to_client_go_and_back() {
    let Some(env) = both().await else { return };
    let (api, chronicle) = (leases(&env), Chronicle::of(leases(&env)).await);
    let elections = replica(&env, "rust").await;
    let rust = elections.lead(idle);
    let term = leads(&rust, "Rust leads").await;
    let go = GoCandidate::start(&env, "go", FIVE);
    go.says("observed rust_1").await;
    // It asks every 1 to 2.2 RetryPeriods; after some of them it must still be waiting, with Rust's renewals going on.
    renewed(&chronicle, 3).await;
    assert!(term.is_valid() && go.said("leading").is_none(), "client-go waits while Rust holds");

    let released = Timestamp::now();
    // It waits, as it would otherwise be the faster one again: client-go looks every one to two RetryPeriods.
    rust.contend(false);
    rust.step_down(None);
    over(&term, "Rust stops").await;
    let stopped = Timestamp::now();
    let leading = go.says("leading").await;
    println!(
        "Rust → client-go: {:?} after the release was asked for (it polls)",
        leading.duration_since(released)
    );
    assert!(leading > stopped - jiff::SignedDuration::from_millis(5), "both led at once");
    assert_holds(&spec(&api, ID).await, "go_1", 1);
    sees_holder(&rust, "go_1").await;
    sees(&rust, "Rust waits", |seen| seen.state == State::Standby && seen.term.is_none()).await;

    rust.contend(true);
    // Whoever has just released leaves the Lease to others for a RetryPeriod; that is over after two renewals.
    renewed(&chronicle, 2).await;
    go.terminate().await;
    let asked = now();
    let back = leads(&rust, "Rust leads again").await;
    println!("client-go → Rust: {:?} after SIGTERM", since(asked));
    let ended = go.says("stopped").await;
    println!(
        "client-go said \"stopped\" {:?} before Rust was seen to lead",
        Timestamp::now().duration_since(ended)
    );
    assert!(back.token() > term.token());
    assert_holds(&spec(&api, ID).await, "rust_1", 2);
    assert_eq!(chronicle.violations(), Vec::<String>::new());
    rust.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_client_go_holder_is_waited_for_as_long_as_it_stated() {
    let Some(env) = both().await else { return };
    let chronicle = Chronicle::of(leases(&env)).await;
    let stated = Duration::from_secs(8);
    let mut go = GoCandidate::start(&env, "go", stated);
    go.says("leading").await;
    // Its own LeaseDuration is 5 s; that of the record counts.
    let elections = replica(&env, "rust").await;
    let rust = elections.lead(idle);
    sees_holder(&rust, "go_1").await;
    go.kill();
    let killed = now();
    let term = leads(&rust, "Rust leads").await;
    let last = chronicle.of_lease(ID).into_iter().rev().find(|entry| entry.version < term.token().0);
    let waited =
        term.acquisition_sent().monotonic.since_origin().saturating_sub(last.expect("client-go renewed").at);
    println!("client-go killed: Rust leads {:?} later, {waited:?} after the last renewal", since(killed));
    assert!(waited + Duration::from_millis(400) >= stated, "taken after only {waited:?}");
    assert!(waited <= stated + Timings::fast().retry_period() + MARGIN, "taken after {waited:?}");
    assert_holds(&spec(&leases(&env), ID).await, "rust_1", 1);
    // client-go's Lease had no label of the operator's; it has now.
    let labels = leases(&env).get(ID).await.expect("it exists").metadata.labels.unwrap_or_default();
    assert!(labels.contains_key("lease-core.dev/election"), "{labels:?}");
    assert_eq!(chronicle.violations(), Vec::<String>::new());
    rust.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_go_takes_over_from_a_rust_holder_that_is_cut_off() {
    let Some(env) = both().await else { return };
    let chronicle = Chronicle::of(leases(&env)).await;
    let proxy = env.proxy().expect("a proxy");
    let elections = replica_at(env.config_via(&proxy, &TestUser::admin()), options(&env, "rust")).await;
    let rust = elections.lead(idle);
    let term = leads(&rust, "Rust leads").await;
    let go = GoCandidate::start(&env, "go", FIVE);
    go.says("observed rust_1").await;
    proxy.cut();
    let cut = Timestamp::now();
    over(&term, "the term of the holder that is cut off ends").await;
    let ended = Timestamp::now();
    let leading = go.says("leading").await;
    println!("Rust cut off: client-go leads after {:?}", leading.duration_since(cut));
    assert!(leading > ended, "both led at once");
    proxy.resume();
    sees_holder(&rust, "go_1").await;
    assert_holds(&spec(&leases(&env), ID).await, "go_1", 1);
    assert_eq!(chronicle.violations(), Vec::<String>::new());
    rust.shutdown().await;
    assert_holds(&spec(&leases(&env), ID).await, "go_1", 1);
}

pub(crate) async fn renewed(chronicle: &Chronicle, times: usize) {
    let before = chronicle.of_lease(ID).len();
    kube_testkit::eventually(&format!("{times} renewals"), DEADLINE, || {
        std::future::ready((chronicle.of_lease(ID).len() >= before + times).then_some(()))
    })
    .await;
}

fn assert_holds(spec: &LeaseSpec, holder: &str, transitions: i32) {
    assert_eq!(spec.holder_identity.as_deref(), Some(holder));
    assert_eq!(spec.lease_transitions, Some(transitions));
    assert_eq!(spec.lease_duration_seconds, Some(5));
    let (acquired, renewed) =
        (spec.acquire_time.as_ref().map(|t| t.0), spec.renew_time.as_ref().map(|t| t.0));
    assert!(acquired.is_some() && acquired <= renewed, "acquired {acquired:?}, renewed {renewed:?}");
}
