//! LeaderElection off.
#![cfg(feature = "kube")]

use std::convert::Infallible;

use kube::client::Body;
use lease_core::{CandidateOptions, Elections, ElectionsOptions, Identity, LeaderElectionId, State};

/// A client of which nothing may be asked.
fn no_api_server() -> kube::Client {
    let refuse = |request: http::Request<Body>| async move {
        panic!("{} {} without leader election", request.method(), request.uri());
        #[expect(unreachable_code, reason = "the service needs an answer type")]
        Ok::<_, Infallible>(http::Response::new(Body::empty()))
    };
    kube::Client::new(tower::service_fn(refuse), "default")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_without_rivals_leads_at_once_and_asks_for_no_lease() {
    let id = LeaderElectionId::new("solo.example.com").expect("a valid ID");
    let identity = Identity::of_pod("pod", "1").expect("not empty");
    let mut options = ElectionsOptions::new(id, "default", identity);
    options.leader_election = false;
    let elections = Elections::start(no_api_server(), options).await.expect("a thread is to be had");

    let leader = elections.lead(|term: lease_core::Term| async move { term.draining().await });
    let term = leader.leading().await;
    assert!(term.is_valid() && !term.is_draining());
    leader.shutdown().await;
    assert!(!term.is_valid(), "a term ends with its candidate");
    elections.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_that_was_not_told_to_contend_does_not_lead() {
    let id = LeaderElectionId::new("solo.example.com").expect("a valid ID");
    let lease = id.lease_name();
    let identity = Identity::of_pod("pod", "1").expect("not empty");
    let mut options = ElectionsOptions::new(id, "default", identity);
    options.leader_election = false;
    let elections = Elections::start(no_api_server(), options).await.expect("a thread is to be had");

    let waits = CandidateOptions::default().contend(false);
    let work = |term: lease_core::Term| async move { term.draining().await };
    let candidate = elections.candidate(lease, waits, work).expect("valid options");
    let mut status = candidate.status();
    status.wait_for(|status| status.state == State::Standby).await.expect("the candidate is there");
    assert!(candidate.term().is_none());

    candidate.contend(true);
    let first = candidate.leading().await;
    candidate.contend(false);
    candidate.abandon();
    status.wait_for(|status| status.state == State::Standby).await.expect("the candidate is there");
    assert!(!first.is_valid(), "an abandoned term is over");

    candidate.contend(true);
    assert!(candidate.leading().await.is_valid());
    candidate.shutdown().await;
    elections.shutdown().await;
}
