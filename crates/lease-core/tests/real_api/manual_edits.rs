//! Somebody edits or deletes the Lease under its holder.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube_testkit::{RealEnv, eventually};
use lease_core::{Candidate, Elections, Term, Timings};
use serde_json::json;

use crate::chronicle::Chronicle;
use crate::handoff::hand_over;
use crate::referee::Referee;
use crate::stranger::scribble;
use crate::support::{DEADLINE, ID, leases, now, replica, spec};
use crate::waiting::{MARGIN, leads, over, sees_holder};

/// A leader and one who waits.
struct Pair {
    api: Api<Lease>,
    chronicle: Chronicle,
    referee: Referee,
    leader: Candidate,
    standby: Candidate,
    term: Term,
    /// Kept, as candidates end with them.
    replicas: [Elections; 2],
}

impl Pair {
    async fn start(env: &RealEnv) -> Self {
        let api = leases(env);
        let (chronicle, referee) = (Chronicle::of(api.clone()).await, Referee::new());
        let replicas = [replica(env, "first").await, replica(env, "second").await];
        let leader = replicas[0].lead(referee.work());
        let term = leads(&leader, "the first leads").await;
        let standby = replicas[1].lead(referee.work());
        sees_holder(&standby, "first_1").await;
        Self { api, chronicle, referee, leader, standby, term, replicas }
    }

    /// Waits until somebody leads under a later term than `last`.
    async fn next(&self, last: &Term) -> Term {
        eventually("somebody to lead again", DEADLINE, || {
            let terms = [self.leader.term(), self.standby.term()].into_iter().flatten();
            let next = terms.into_iter().find(|term| term.token() > last.token());
            std::future::ready(next)
        })
        .await
    }

    async fn end(self) {
        let (violations, _) = self.referee.verdict();
        assert!(violations.is_empty(), "{violations:?}");
        self.leader.shutdown().await;
        self.standby.shutdown().await;
        for replica in self.replicas {
            replica.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_and_annotations_of_others_are_kept_and_cost_nothing() {
    let Some(env) = kube_testkit::real("several writers share one Lease").await else { return };
    let pair = Pair::start(&env).await;
    let edit = json!({ "metadata": { "labels": { "team": "a" }, "annotations": { "note": "b" } } });
    let edited = pair.api.patch(ID, &PatchParams::default(), &Patch::Merge(&edit)).await.expect("an edit");
    let renewed = edited.spec.and_then(|spec| spec.renew_time);
    let lease = eventually("a renewal after the edit", DEADLINE, || async {
        let lease = pair.api.get(ID).await.expect("it exists");
        (lease.spec.as_ref().and_then(|spec| spec.renew_time.clone()) != renewed).then_some(lease)
    })
    .await;
    assert_eq!(lease.metadata.labels.expect("labels")["team"], "a");
    assert_eq!(lease.metadata.annotations.expect("annotations")["note"], "b");
    assert!(pair.term.is_valid() && pair.leader.term().is_some_and(|term| term.token() == pair.term.token()));
    assert_eq!(spec(&pair.api, ID).await.lease_transitions, Some(0));
    assert_eq!(pair.chronicle.violations(), Vec::<String>::new());
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stripped_election_label_comes_back() {
    let Some(env) = kube_testkit::real("the watch selects by the label").await else { return };
    let pair = Pair::start(&env).await;
    let strip = json!({ "metadata": { "labels": { "lease-core.dev/election": null } } });
    pair.api.patch(ID, &PatchParams::default(), &Patch::Merge(&strip)).await.expect("an edit");
    eventually("the label to be back", DEADLINE, || async {
        let labels: BTreeMap<_, _> = pair.api.get(ID).await.ok()?.metadata.labels.unwrap_or_default();
        labels.contains_key("lease-core.dev/election").then_some(())
    })
    .await;
    eventually("both watches to be live", DEADLINE, || {
        let live = pair.replicas.iter().all(|replica| replica.health().watch_is_live);
        std::future::ready(live.then_some(()))
    })
    .await;
    assert!(pair.leader.term().is_some_and(|term| term.token() == pair.term.token()), "no term was lost");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_is_overwritten_stops_at_once_and_the_new_one_is_honoured() {
    let Some(env) = kube_testkit::real("the watch tells the leader").await else { return };
    let pair = Pair::start(&env).await;
    let overwritten = now();
    // As an intruder would do it who takes the Lease for himself: leaseTransitions stays as it is.
    scribble(&pair.api, ID, json!({ "holderIdentity": "intruder_1" })).await;
    let ended = over(&pair.term, "the overwritten holder stops").await;
    println!("overwritten: stopped after {:?}", ended.saturating_sub(overwritten));
    assert!(
        ended.saturating_sub(overwritten) < MARGIN,
        "it led on for {:?}",
        ended.saturating_sub(overwritten)
    );
    let next = pair.next(&pair.term).await;
    let waited = next.acquisition_sent().monotonic.since_origin().saturating_sub(overwritten);
    assert!(waited >= Timings::fast().lease_duration(), "the intruder was honoured for {waited:?} only");
    assert!(next.token() > pair.term.token());
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blanked_holder_stops_at_once_and_the_others_wait_all_the_same() {
    let Some(env) = kube_testkit::real("the watch tells the leader").await else { return };
    let pair = Pair::start(&env).await;
    let blanked = now();
    scribble(&pair.api, ID, json!({ "holderIdentity": "" })).await;
    let ended = over(&pair.term, "the blanked holder stops").await;
    println!("blanked: stopped after {:?}", ended.saturating_sub(blanked));
    assert!(ended.saturating_sub(blanked) < MARGIN, "it led on for {:?}", ended.saturating_sub(blanked));
    let next = pair.next(&pair.term).await;
    let waited = next.acquisition_sent().monotonic.since_origin().saturating_sub(blanked);
    // The old holder may not have heard: it is honoured from its last renewal, or from the edit that showed the record.
    assert!(waited >= Timings::fast().renew_deadline(), "taken after only {waited:?}");
    assert_eq!(pair.chronicle.violations(), Vec::<String>::new());
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_lease_is_lost_waited_for_and_made_again_with_transitions_going_on() {
    let Some(env) = kube_testkit::real("a Lease is deleted under its holder").await else { return };
    let pair = Pair::start(&env).await;
    // A second holder first, so that there are transitions to go on from.
    let second = hand_over(&pair.leader, &pair.standby, "the second leads").await;
    assert_eq!(spec(&pair.api, ID).await.lease_transitions, Some(1));
    sees_holder(&pair.leader, "second_1").await;

    let uid = pair.api.get(ID).await.expect("it exists").metadata.uid;
    let deleted = now();
    pair.api.delete(ID, &DeleteParams::default()).await.expect("an administrator may delete it");
    let ended = over(&second, "the holder of the deleted Lease stops").await;
    println!("deleted: stopped after {:?}", ended.saturating_sub(deleted));
    assert!(ended.saturating_sub(deleted) < MARGIN, "it led on for {:?}", ended.saturating_sub(deleted));
    let next = pair.next(&second).await;
    let waited = next.acquisition_sent().monotonic.since_origin().saturating_sub(deleted);
    println!("deleted: held again after {waited:?}");
    assert!(
        waited + Duration::from_millis(500) >= Timings::fast().lease_duration(),
        "made again after {waited:?}"
    );
    let lease = pair.api.get(ID).await.expect("it was made again");
    assert_ne!(lease.metadata.uid, uid);
    assert_eq!(lease.spec.expect("a spec").lease_transitions, Some(2), "leaseTransitions goes on");
    eventually("both watches to be live again", DEADLINE, || {
        let live = pair.replicas.iter().all(|replica| replica.health().watch_is_live);
        std::future::ready(live.then_some(()))
    })
    .await;
    assert_eq!(pair.chronicle.violations(), Vec::<String>::new());
    pair.end().await;
}
