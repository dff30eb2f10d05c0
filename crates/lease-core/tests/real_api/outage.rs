//! An API server that is restarted, or stands still.

use kube_testkit::{Cluster, ClusterOptions, TestUser, eventually};
use lease_core::{Candidate, CandidateOptions, Elections, LeaseName, Term, Timings};

use crate::referee::Referee;
use crate::support::{DEADLINE, id, now, options_in, replica_at, since};
use crate::waiting::{MARGIN, over};

const REPLICAS: usize = 4;
const LEASES: usize = 8;
const NAMESPACE: &str = "default";

struct Fleet {
    names: Vec<LeaseName>,
    replicas: Vec<Elections>,
    candidates: Vec<Candidate>,
    referee: Referee,
}

impl Fleet {
    /// Several replicas contend for several Leases, until each is held.
    async fn start(cluster: &Cluster) -> Self {
        let referee = Referee::new();
        let names: Vec<_> =
            (0..LEASES).map(|n| id().suffixed(&format!("shard-{n}")).expect("valid")).collect();
        let (mut replicas, mut candidates) = (Vec::new(), Vec::new());
        for n in 0..REPLICAS {
            let options = options_in(NAMESPACE, &format!("replica-{n}"));
            let replica = replica_at(cluster.config(&TestUser::admin()), options).await;
            for name in &names {
                let options = CandidateOptions::default().announce(false);
                candidates
                    .push(replica.candidate(name.clone(), options, referee.work()).expect("valid options"));
            }
            replicas.push(replica);
        }
        let fleet = Self { names, replicas, candidates, referee };
        fleet.all_held("to begin with").await;
        fleet
    }

    /// The valid terms, once every Lease has one.
    async fn all_held(&self, when: &str) -> Vec<Term> {
        eventually(&format!("each of {LEASES} Leases to be held {when}"), DEADLINE, || {
            let valid: Vec<_> = self.referee.terms().into_iter().filter(Term::is_valid).collect();
            let held = self.names.iter().all(|name| valid.iter().any(|term| term.lease() == name));
            std::future::ready(held.then_some(valid))
        })
        .await
    }

    async fn end(self) {
        let (violations, looks) = self.referee.verdict();
        println!("{} terms, {looks} looks", self.referee.terms().len());
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        for name in &self.names {
            let tokens: Vec<_> =
                self.referee.terms().iter().filter(|term| term.lease() == name).map(Term::token).collect();
            assert!(tokens.is_sorted(), "{name}: the tokens fall: {tokens:?}");
        }
        futures::future::join_all(self.candidates.into_iter().map(Candidate::shutdown)).await;
        for replica in self.replicas {
            replica.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_restarted_under_load_costs_no_exclusion_and_every_lease_is_held_again() {
    let why = "the API server is killed and started again";
    let Some(cluster) = kube_testkit::exclusive(why, ClusterOptions::default()).await else { return };
    let fleet = Fleet::start(&cluster).await;
    for round in 1..=2 {
        cluster.restart_api_server().await.expect("it starts again");
        let up = now();
        let seen = now();
        // Held with a renewal that came after the restart: validity counts from its sending.
        let fresh = Timings::fast().renew_deadline();
        eventually("every Lease to be renewed or taken after the restart", DEADLINE, || {
            let terms = fleet.referee.terms();
            let renewed = |term: &Term| {
                term.is_valid() && term.validity().end().monotonic.since_origin() >= seen + fresh
            };
            let all = fleet.names.iter().all(|name| terms.iter().any(|t| t.lease() == name && renewed(t)));
            std::future::ready(all.then_some(()))
        })
        .await;
        println!("restart {round}: every Lease renewed or taken {:?} after the API server was up", since(up));
    }
    fleet.all_held("in the end").await;
    fleet.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_end_in_time_while_the_api_server_stands_still_and_all_contend_afterwards() {
    let why = "the API server stands still";
    let Some(cluster) = kube_testkit::exclusive(why, ClusterOptions::default()).await else { return };
    let fleet = Fleet::start(&cluster).await;
    let terms = fleet.all_held("before the pause").await;
    cluster.pause_api_server().await.expect("a signal");
    let paused = now();
    for term in &terms {
        let ended = over(term, "a term ends while nobody answers").await;
        let led_on = ended.saturating_sub(paused);
        assert!(
            led_on <= Timings::fast().renew_deadline() + MARGIN,
            "{} led on for {led_on:?}",
            term.lease()
        );
    }
    println!("all terms were over {:?} after the API server stood still", since(paused));
    // Beyond LeaseDuration, so that whoever comes first may take what the others held.
    let beyond = Timings::fast().takeover_bound();
    eventually("the pause to outlast every Lease", DEADLINE, || {
        std::future::ready((since(paused) > beyond).then_some(()))
    })
    .await;
    cluster.resume_api_server().await.expect("a signal");
    let resumed = now();
    fleet.all_held("after the pause").await;
    println!("every Lease was held again {:?} after the API server went on", since(resumed));
    fleet.end().await;
}
