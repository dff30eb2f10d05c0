//! Eight candidates, thirty-two Leases that expire under all of them at the same moment.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube_testkit::RealEnv;
use lease_core::{Candidate, CandidateOptions, Elections, LeaseName, State};
use serde_json::json;

use crate::chronicle::Chronicle;
use crate::lock::LOCK;
use crate::referee::Referee;
use crate::stranger::{create, held_by, scribble};
use crate::support::{DEADLINE, id, leases, now, replica, since, spec};

const CANDIDATES: usize = 8;
const LEASES: usize = 32;
const STRANGERS_DURATION: Duration = Duration::from_secs(2);
const TRANSITIONS: i32 = 5;

/// Lets them race and says what was wrong about the outcome.
pub(crate) async fn race(env: &RealEnv) -> Vec<String> {
    let api = leases(env);
    let names = names();
    for name in &names {
        create(&api, &held_by("stranger_1", name.as_str(), STRANGERS_DURATION, TRANSITIONS)).await;
    }
    let chronicle = Chronicle::of(api.clone()).await;
    let referee = Referee::new();
    let mut replicas = Vec::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    for n in 0..CANDIDATES {
        let replica: Elections = replica(env, &format!("replica-{n}")).await;
        let options = CandidateOptions::default().announce(false);
        candidates.extend(names.iter().map(|name| {
            replica.candidate(name.clone(), options.clone(), referee.work()).expect("valid options")
        }));
        replicas.push(replica);
    }
    // The stranger lives until all of them wait; its last renewal starts all their clocks together.
    let began = now();
    while !candidates.iter().all(waits_for_the_stranger) {
        assert!(since(began) < DEADLINE, "not every candidate saw the stranger within {DEADLINE:?}");
        for name in &names {
            scribble(&api, name.as_str(), json!({ "renewTime": micros(Timestamp::now()) })).await;
        }
    }
    let what = format!("each of {} Leases to have a new holder", names.len());
    kube_testkit::eventually(&what, DEADLINE, || {
        let held =
            names.iter().filter(|name| referee.terms().iter().any(|term| term.lease() == *name)).count();
        std::future::ready((held == names.len()).then_some(()))
    })
    .await;
    // A wrong holder would be found out by the next renewals: look on until the Leases have been renewed a few times.
    let renewals = names.iter().map(|name| (name, chronicle.of_lease(name.as_str()).len()));
    let before: BTreeMap<_, _> = renewals.collect();
    kube_testkit::eventually("three renewals of each Lease", DEADLINE, || {
        let renewed = before.iter().all(|(name, count)| chronicle.of_lease(name.as_str()).len() >= count + 3);
        std::future::ready(renewed.then_some(()))
    })
    .await;

    let (mut violations, looks) = referee.verdict();
    violations.extend(chronicle.violations());
    for name in &names {
        let winners: Vec<_> = referee.terms().iter().filter(|term| term.lease() == name).map(named).collect();
        let moved = spec(&api, name.as_str()).await.lease_transitions.unwrap_or_default() - TRANSITIONS;
        if usize::try_from(moved).ok() != Some(winners.len()) {
            violations
                .push(format!("{name}: {moved} transitions, and these took it: {}", winners.join(", ")));
        }
    }
    println!("{} acquisitions of {} Leases, {looks} looks", referee.terms().len(), names.len());
    futures::future::join_all(candidates.into_iter().map(Candidate::shutdown)).await;
    for replica in replicas {
        replica.shutdown().await;
    }
    violations
}

/// A legacy lock has one object.
fn names() -> Vec<LeaseName> {
    if LOCK.is_legacy() {
        return vec![id().lease_name()];
    }
    (0..LEASES).map(|n| id().suffixed(&format!("shard-{n}")).expect("valid")).collect()
}

fn waits_for_the_stranger(candidate: &Candidate) -> bool {
    let status = candidate.status();
    let status = status.borrow();
    status.state == State::Standby && status.holder.as_ref().is_some_and(|holder| holder.pod() == "stranger")
}

fn named(term: &lease_core::Term) -> String {
    format!("{} (token {})", term.identity(), term.token())
}

fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}
