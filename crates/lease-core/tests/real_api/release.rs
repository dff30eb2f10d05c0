//! In which order things end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kube_testkit::{TestUser, eventually};
use lease_core::{AnnotateError, CandidateOptions, State, Term, Timings};
use tokio::sync::{Notify, watch};

use crate::chronicle::Chronicle;
use crate::support::{DEADLINE, ID, id, leases, now, options, replica, replica_at, since, spec};
use crate::waiting::{MARGIN, idle, leads, over, sees, sees_holder};

fn holder(spec: &k8s_openapi::api::coordination::v1::LeaseSpec) -> &str {
    spec.holder_identity.as_deref().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_is_not_released_while_tracked_work_runs_and_is_renewed_meanwhile() {
    let Some(env) = kube_testkit::real("a Lease is renewed during the drain").await else { return };
    let elections = replica(&env, "first").await;
    let finish = Arc::new(Notify::new());
    let (progress, mut seen) = watch::channel("nothing");
    let work = {
        let (finish, progress) = (Arc::clone(&finish), Arc::new(progress));
        move |term: Term| {
            let (finish, progress) = (Arc::clone(&finish), Arc::clone(&progress));
            async move {
                let reconcile = term.track({
                    let progress = Arc::clone(&progress);
                    async move {
                        finish.notified().await;
                        progress.send_replace("finished");
                    }
                });
                // In a task of its own, as a controller's reconciles are: it outlives this future.
                tokio::spawn(reconcile);
                progress.send_replace("began");
                term.draining().await;
                progress.send_replace("returned");
            }
        }
    };
    let leader = elections.lead(work);
    let term = leads(&leader, "the first leads").await;
    seen.wait_for(|step| *step == "began").await.expect("it tells");
    // Otherwise it takes the Lease again after a RetryPeriod, perhaps before the release is seen below.
    leader.contend(false);
    leader.step_down(None);
    seen.wait_for(|step| *step == "returned").await.expect("it tells");
    // Longer than the validity would last without renewals.
    let returned = now();
    eventually("a drain longer than RenewDeadline", DEADLINE, || {
        assert!(term.is_valid() && term.is_draining(), "the term ended while a reconcile was running");
        std::future::ready((since(returned) > Timings::fast().renew_deadline() + MARGIN).then_some(()))
    })
    .await;
    assert_eq!(holder(&spec(&leases(&env), ID).await), "first_1");
    finish.notify_one();
    over(&term, "the term ends with the reconcile").await;
    assert_eq!(*seen.borrow(), "finished", "it ended before the reconcile did");
    eventually("the release", DEADLINE, || async {
        holder(&spec(&leases(&env), ID).await).is_empty().then_some(())
    })
    .await;
    leader.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_does_not_drain_is_aborted_and_joined_before_the_release() {
    let Some(env) = kube_testkit::real("the release comes last").await else { return };
    let elections = replica(&env, "first").await;
    let dropped = Arc::new(AtomicBool::new(false));
    let stubborn = {
        let dropped = Arc::clone(&dropped);
        move |_term: Term| {
            let on_drop = OnDrop(Arc::clone(&dropped));
            async move {
                let _on_drop = on_drop;
                std::future::pending::<()>().await;
            }
        }
    };
    let options = CandidateOptions::default().drain_timeout(Duration::from_secs(1));
    let leader = elections.candidate(id().lease_name(), options, stubborn).expect("valid options");
    let term = leads(&leader, "the first leads").await;
    let asked = now();
    leader.shutdown().await;
    println!("aborted, joined and released within {:?}", since(asked));
    assert!(dropped.load(Ordering::SeqCst), "the work still runs");
    assert!(!term.is_valid());
    assert_eq!(holder(&spec(&leases(&env), ID).await), "", "released after the join");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_returns_early_or_panics_gives_the_lease_to_the_next() {
    let Some(env) = kube_testkit::real("somebody else takes it").await else { return };
    let (first, second) = (replica(&env, "first").await, replica(&env, "second").await);
    let (finish, waits) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let returns = {
        let finish = Arc::clone(&finish);
        move |_term: Term| {
            let finish = Arc::clone(&finish);
            async move { finish.notified().await }
        }
    };
    let panics = {
        let waits = Arc::clone(&waits);
        move |_term: Term| {
            let waits = Arc::clone(&waits);
            async move {
                waits.notified().await;
                panic!("as the test wants it");
            }
        }
    };
    let one = first.lead(returns);
    leads(&one, "the first leads").await;
    let two = second.lead(panics);
    sees_holder(&two, "first_1").await;
    let done = now();
    finish.notify_one();
    let term = leads(&two, "the second leads").await;
    println!("work returned: the next leads after {:?}", since(done));
    sees_holder(&one, "second_1").await;
    let crashed = now();
    waits.notify_one();
    let next = leads(&one, "the first leads again").await;
    println!("work panicked: the next leads after {:?}", since(crashed));
    assert!(next.token() > term.token() && !term.is_valid());
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn annotations_land_while_the_lease_is_held_and_only_then() {
    let Some(env) = kube_testkit::real("annotations ride on renewals").await else { return };
    let (first, second) = (replica(&env, "first").await, replica(&env, "second").await);
    let leader = first.lead(idle);
    leads(&leader, "the first leads").await;
    let standby = second.lead(idle);
    sees_holder(&standby, "first_1").await;
    let note =
        |value: Option<&str>| BTreeMap::from([("example.com/note".to_owned(), value.map(str::to_owned))]);
    let read = || async {
        let annotations =
            leases(&env).get(ID).await.expect("it exists").metadata.annotations.unwrap_or_default();
        annotations.get("example.com/note").cloned()
    };

    let asked = now();
    let revision = leader.annotate(note(Some("a"))).await.expect("it leads");
    println!("annotated within {:?}", since(asked));
    let lease = leases(&env).get(ID).await.expect("it exists");
    assert!(
        lease.metadata.resource_version.expect("a version").parse::<u64>().expect("a number")
            >= revision.version.0
    );
    assert_eq!(read().await.as_deref(), Some("a"));
    assert_eq!(standby.annotate(note(Some("b"))).await, Err(AnnotateError::NotLeading));
    leader.annotate(note(None)).await.expect("it leads");
    assert_eq!(read().await, None);

    leader.contend(false);
    leader.step_down(Some(second.identity().clone()));
    leads(&standby, "the second leads").await;
    sees(&leader, "the first waits", |seen| seen.state == State::Standby && seen.term.is_none()).await;
    assert_eq!(leader.annotate(note(Some("c"))).await, Err(AnnotateError::NotLeading));
    assert_eq!(read().await, None);
    leader.shutdown().await;
    standby.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_release_on_cancel_off_the_lease_is_left_to_expire() {
    let Some(env) = kube_testkit::real("a Lease has to expire").await else { return };
    let mut keeps = options(&env, "first");
    keeps.release_on_cancel = false;
    let first = replica_at(env.config(&TestUser::admin()), keeps).await;
    let second = replica(&env, "second").await;
    let chronicle = Chronicle::of(leases(&env)).await;
    let leader = first.lead(idle);
    let term = leads(&leader, "the first leads").await;
    let standby = second.lead(idle);
    sees_holder(&standby, "first_1").await;
    leader.shutdown().await;
    let stopped = now();
    assert!(!term.is_valid(), "what shuts down leads no more");
    assert_eq!(holder(&spec(&leases(&env), ID).await), "first_1", "the Lease is left as it was");
    leads(&standby, "the second leads").await;
    println!("ReleaseOnCancel off: the next leads after {:?}", since(stopped));
    assert_eq!(chronicle.violations(), Vec::<String>::new());
    standby.shutdown().await;
}

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
