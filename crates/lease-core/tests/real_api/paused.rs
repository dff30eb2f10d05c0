//! A process that stands still beyond its Lease, and one that dies.
//!
//! What is shown here, and what is not: a unit of work that begins after the pause finds by its check that the term is
//! over, so none begins. A request whose check was *before* the pause and whose sending is after it goes out all the same,
//! and the API server accepts it: no check in the client can prevent that. At most one request per task that was running is
//! concerned. It stays possible until the API server itself refuses writes of a deposed holder (fencing).

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube_testkit::guard::Exit;
use kube_testkit::{RealEnv, Signal, eventually};
use lease_core::{Elections, Term, Timings};

use crate::child::{Child, Line, PausePoint};
use crate::chronicle::Chronicle;
use crate::support::{DEADLINE, leases, now, replica, since};
use crate::waiting::{MARGIN, idle, leads, sees_holder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_stopped_beyond_its_lease_begins_nothing_when_it_goes_on() {
    let Some(env) = kube_testkit::real("another takes the Lease meanwhile").await else { return };
    let paused = Paused::beyond_its_lease(&env, PausePoint::Nowhere).await;
    paused.goes_on().await;
    // Others may act, so the process ends at once, unless its work has ended before this is checked.
    tokio::select! {
        exit = paused.child.process.wait() => assert_eq!(exit, Exit::Code(70)),
        _ = paused.child.says("ended") => {}
    }
    paused.assert_nothing_began_too_late();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_between_check_and_sending_lets_that_one_request_out_and_no_more() {
    let Some(env) = kube_testkit::real("it accepts a late write").await else { return };
    let paused = Paused::beyond_its_lease(&env, PausePoint::BetweenCheckAndSending).await;
    let went_on = paused.goes_on().await;
    let ended = paused.child.says("ended").await;
    println!("it noticed {:?} after it went on", ended.at.saturating_sub(went_on));
    let sent = paused.child.says("sent").await;
    paused.assert_nothing_began_too_late();
    // Stated, not hidden: the write came after the new holder had begun, and was accepted.
    assert!(
        sent.at > paused.term.acquisition_sent().monotonic.since_origin(),
        "sent after another had taken over"
    );
    assert_eq!(sent.value("ok"), Some(true));
    let maps: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
    let late = maps.list(&kube::api::ListParams::default()).await.expect("a list").items;
    let late =
        late.iter().filter(|map| map.metadata.name.as_deref().is_some_and(|name| name.starts_with("late-")));
    assert_eq!(late.count(), 1, "one request was under way, and one got out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_of_a_killed_process_is_taken_within_the_bound() {
    let Some(env) = kube_testkit::real("a Lease has to expire").await else { return };
    let second = replica(&env, "second").await;
    let mut child = Child::start(&env, "first", PausePoint::Nowhere);
    child.says("begin").await;
    let standby = second.lead(idle);
    sees_holder(&standby, "first_1").await;
    let killed = now();
    child.process.kill();
    leads(&standby, "the second leads").await;
    let took = since(killed);
    println!("killed: the next leads after {took:?}");
    assert!(took < Timings::fast().takeover_bound() + MARGIN, "{took:?}");
    standby.shutdown().await;
}

/// A child that has been standing still for longer than its Lease, and the one that leads instead.
struct Paused {
    child: Child,
    stopped: Duration,
    chronicle: Chronicle,
    term: Term,
    _second: Elections,
    _standby: lease_core::Candidate,
}

impl Paused {
    async fn beyond_its_lease(env: &RealEnv, pause: PausePoint) -> Self {
        let chronicle = Chronicle::of(leases(env)).await;
        let second = replica(env, "second").await;
        let child = Child::start(env, "first", pause);
        child.says("begin").await;
        let standby = second.lead(idle);
        sees_holder(&standby, "first_1").await;
        if pause == PausePoint::Nowhere {
            child.process.signal(Signal::Stop).expect("it runs");
        }
        let stopped = now();
        let term = leads(&standby, "the second leads").await;
        println!("stopped: the next leads after {:?}", since(stopped));
        Self { child, stopped, chronicle, term, _second: second, _standby: standby }
    }

    async fn goes_on(&self) -> Duration {
        self.child.process.signal(Signal::Continue).expect("it is there");
        let went_on = now();
        // It would begin again within milliseconds, if it did: look on for some RetryPeriods.
        eventually("three RetryPeriods to pass", DEADLINE, || {
            let passed = since(went_on) > 3 * Timings::fast().retry_period();
            std::future::ready(passed.then_some(()))
        })
        .await;
        assert!(self.term.is_valid(), "the new holder keeps the Lease");
        went_on
    }

    fn assert_nothing_began_too_late(&self) {
        let begins: Vec<Line> =
            self.child.lines().into_iter().filter(|line| line.what.starts_with("begin")).collect();
        assert!(!begins.is_empty());
        for line in &begins {
            let until = Duration::from_nanos(line.value("until").expect("each begin has one"));
            assert!(line.at < until, "began {:?} after its validity", line.at.saturating_sub(until));
            assert!(
                line.at < self.term.acquisition_sent().monotonic.since_origin(),
                "began under another's term: {line:?}"
            );
        }
        println!("{} units of work, the last {:?} before the stop", begins.len(), {
            self.stopped.saturating_sub(begins.last().map(|line| line.at).unwrap_or_default())
        });
        assert_eq!(self.chronicle.violations(), Vec::<String>::new());
    }
}
