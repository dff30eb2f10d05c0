//! Work that blocks its thread beyond the Lease.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use kube_testkit::{TestUser, eventually};
use lease_core::{OnOverrun, Term, Timings};
use tokio::runtime::{Builder, Runtime};

use crate::chronicle::Chronicle;
use crate::referee::Referee;
use crate::support::{DEADLINE, leases, now, options, replica, replica_at, since};
use crate::waiting::{MARGIN, leads, over, sees_holder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconcile_that_blocks_its_thread_loses_the_lease_and_the_overrun_is_reported() {
    let Some(env) = kube_testkit::real("a Lease has to expire").await else { return };
    let overruns = Arc::new(Mutex::new(Vec::new()));
    let mut watched = options(&env, "first");
    watched.on_overrun = OnOverrun::Call(Arc::new({
        let overruns = Arc::clone(&overruns);
        move |message: &str| overruns.lock().expect("no panic").push(message.to_owned())
    }));
    let elsewhere = Elsewhere::new();
    let first = elsewhere.runtime().spawn(replica_at(env.config(&TestUser::admin()), watched)).await;
    let first = first.expect("it does not panic");
    let second = replica(&env, "second").await;
    let chronicle = Chronicle::of(leases(&env)).await;
    let referee = Referee::new();

    // Blocked by a channel rather than a sleep: it ends when the test lets go, not a moment before.
    let (unblock, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let rounds = Arc::new(AtomicUsize::new(0));
    let wedged = move |term: Term| {
        let (blocked, rounds) = (Arc::clone(&blocked), Arc::clone(&rounds));
        async move {
            // Only the first term wedges.
            if rounds.fetch_add(1, Ordering::SeqCst) == 0 {
                let reconcile = async move {
                    let _ = blocked.lock().expect("no panic").recv();
                };
                term.track(reconcile).await;
            }
            term.draining().await;
        }
    };
    let leader = first.lead(wedged);
    let term = leads(&leader, "the first leads").await;
    let began = now();
    let standby = second.lead(referee.work());
    sees_holder(&standby, "first_1").await;
    over(&term, "a wedged leader loses its term").await;
    let next = leads(&standby, "the second leads").await;
    let took = since(began);
    println!("wedged: the next leads {took:?} after the work began to block");
    // RetryPeriod passes before a poll counts as wedged; the last renewal may be as late as that.
    let timings = Timings::fast();
    let bound = timings.retry_period() + timings.takeover_bound() + MARGIN;
    assert!(took < bound, "{took:?}, where {bound:?} is the bound");
    let message = eventually("the overrun to be reported", DEADLINE, || {
        std::future::ready(overruns.lock().expect("no panic").first().cloned())
    })
    .await;
    assert!(message.contains("could not be stopped before LeaseDuration"), "{message}");
    println!("{message}");

    // Once it lets go the first contends again, and not before: it has nothing running then.
    assert!(leader.term().is_none());
    unblock.send(()).expect("it is still blocked");
    standby.shutdown().await;
    let again = leads(&leader, "the first leads again").await;
    assert!(again.token() > next.token());
    assert_eq!(chronicle.violations(), Vec::<String>::new());
    leader.shutdown().await;
}

/// A runtime for the work that blocks: a blocked thread keeps the task that it would have run next, and that must not be
/// one of those that watch.
struct Elsewhere(Option<Runtime>);

impl Elsewhere {
    fn new() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self(Some(runtime.expect("a runtime")))
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken only by the drop")
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[test]
fn a_runtime_that_stands_still_loses_the_lease_too() {
    // The work's runtime has one thread, and that one blocks in a future that nobody tracks.
    let own = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let other = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("one");
    let Some(env) = other.block_on(kube_testkit::real("a Lease has to expire")) else { return };
    let (unblock, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let (lead, terms) = mpsc::channel::<Term>();
    let mut watched = options(&env, "first");
    watched.on_overrun = OnOverrun::Call(Arc::new(|_| {}));
    let config = env.config(&TestUser::admin());
    let wedged = std::thread::spawn(move || {
        own.block_on(async move {
            let elections = replica_at(config, watched).await;
            let work = move |term: Term| {
                let (blocked, lead) = (Arc::clone(&blocked), lead.clone());
                async move {
                    lead.send(term).expect("the test listens");
                    let _ = blocked.lock().expect("no panic").recv();
                }
            };
            let candidate = elections.lead(work);
            leads(&candidate, "the first leads").await;
            candidate.shutdown().await;
        });
    });
    let term = terms.recv_timeout(DEADLINE).expect("the first leads");
    other.block_on(async {
        let second = replica(&env, "second").await;
        let standby = second.lead(crate::waiting::idle);
        over(&term, "a leader whose runtime stands still loses its term").await;
        leads(&standby, "the second leads").await;
        standby.shutdown().await;
    });
    drop(unblock);
    wedged.join().expect("it ends once it goes on");
}
