//! Conflicts, lost answers, and a watch that hangs without closing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use kube::api::{Patch, PatchParams};
use kube::client::Body;
use kube_testkit::{TestUser, eventually};
use lease_core::{CandidateOptions, Connection, Elections, Timings};
use serde_json::json;

use crate::chronicle::Chronicle;
use crate::lock::LOCK;
use crate::referee::Referee;
use crate::stranger::{create, held_by};
use crate::support::{DEADLINE, ID, id, leases, now, options, replica, replica_at, since, spec};
use crate::waiting::{MARGIN, leads, sees_holder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_writer_who_hammers_the_lease_does_not_cost_it() {
    let Some(env) = kube_testkit::real("it answers conflicts").await else { return };
    let elections = replica(&env, "first").await;
    let chronicle = Chronicle::of(leases(&env)).await;
    let referee = Referee::new();
    let leader = elections.lead(referee.work());
    let term = leads(&leader, "the first leads").await;

    let (api, stop, edits) = (leases(&env), Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let hammer = tokio::spawn({
        let (stop, edits) = (Arc::clone(&stop), Arc::clone(&edits));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let count = edits.fetch_add(1, Ordering::Relaxed);
                let edit = json!({ "metadata": { "labels": { "hammered": count.to_string() } } });
                api.patch(ID, &PatchParams::default(), &Patch::Merge(&edit)).await.expect("an edit");
            }
        }
    });
    // Long enough for the validity to have ended several times over, had renewals not got through.
    let span = 3 * Timings::fast().renew_deadline();
    let began = now();
    eventually("the hammering to have gone on for three RenewDeadlines", DEADLINE, || {
        assert!(term.is_valid(), "the Lease was lost after {:?}", since(began));
        std::future::ready((since(began) > span).then_some(()))
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    hammer.await.expect("the hammer does not panic");
    let renewals = distinct_renewals(&chronicle);
    println!("{} edits against {renewals} renewals within {:?}", edits.load(Ordering::Relaxed), since(began));
    assert_eq!(spec(&leases(&env), ID).await.lease_transitions, Some(0));
    assert_eq!(chronicle.violations(), Vec::<String>::new());
    leader.shutdown().await;
}

fn distinct_renewals(chronicle: &Chronicle) -> usize {
    let mut times: Vec<_> =
        chronicle.of_lease(ID).into_iter().filter_map(|entry| entry.spec.renew_time).collect();
    times.dedup();
    times.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_whose_answer_was_lost_is_recognised() {
    let Some(env) = kube_testkit::real("a write takes effect though its answer is lost").await else {
        return;
    };
    // Nothing is lost before the first round.
    let loss = Arc::new(AtomicU64::new(LOST));
    let client = losing_one_answer_to_an_update(env.admin(), env.namespace(), Arc::clone(&loss));
    let elections =
        Elections::start(Connection::Client(client), options(&env, "first")).await.expect("they start");
    let referee = Referee::new();
    let leader = elections.lead(referee.work());
    let term = leads(&leader, "the first leads").await;

    for round in 1..=3 {
        loss.store(DUE, Ordering::SeqCst);
        eventually("a renewal to land whose answer is lost", DEADLINE, || {
            std::future::ready((loss.load(Ordering::SeqCst) == LOST).then_some(()))
        })
        .await;
        let landed = spec(&leases(&env), ID).await.renew_time;
        eventually("a renewal after the lost one", DEADLINE, || async {
            (spec(&leases(&env), ID).await.renew_time > landed).then_some(())
        })
        .await;
        assert!(term.is_valid(), "round {round}: its own write was taken for another's");
    }
    let spec = spec(&leases(&env), ID).await;
    assert_eq!((spec.lease_transitions, spec.holder_identity.as_deref()), (Some(0), Some("first_1")));
    assert_eq!(referee.terms().len(), 1, "one term throughout");
    leader.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acquisition_whose_answer_was_lost_is_recognised() {
    let Some(env) = kube_testkit::real("a write takes effect though its answer is lost").await else {
        return;
    };
    let api = leases(&env);
    create(&api, &held_by("stranger_1", ID, Duration::from_secs(1), 5)).await;
    let loss = Arc::new(AtomicU64::new(DUE));
    let client = losing_one_answer_to_an_update(env.admin(), env.namespace(), Arc::clone(&loss));
    let elections =
        Elections::start(Connection::Client(client), options(&env, "first")).await.expect("they start");
    let referee = Referee::new();
    let candidate = elections.lead(referee.work());
    // By the watch, or by the read that follows when no answer has come.
    let term = leads(&candidate, "it finds that it holds the Lease").await;
    // The watch may show the acquisition before its answer arrives and is lost.
    eventually("the answer to the acquisition to be lost", DEADLINE, || {
        std::future::ready((loss.load(Ordering::SeqCst) == LOST).then_some(()))
    })
    .await;
    assert!(term.is_valid());
    let spec = spec(&api, ID).await;
    assert_eq!((spec.lease_transitions, spec.holder_identity.as_deref()), (Some(6), Some("first_1")));
    candidate.shutdown().await;
}

/// The next answer to an update is to be lost.
const DUE: u64 = 0;
/// An update was sent whose answer is to be lost.
const SENT: u64 = 1;
/// It was answered, and the answer was not passed on.
const LOST: u64 = 2;

fn losing_one_answer_to_an_update(client: Client, namespace: &str, loss: Arc<AtomicU64>) -> Client {
    let route = move |request: Request<Body>| {
        let (client, loss) = (client.clone(), Arc::clone(&loss));
        async move {
            let swallow = request.method() == Method::PUT
                && loss.compare_exchange(DUE, SENT, Ordering::SeqCst, Ordering::SeqCst).is_ok();
            let answer = client.send(request).await;
            if swallow {
                loss.store(LOST, Ordering::SeqCst);
                std::future::pending::<()>().await;
            }
            answer
        }
    };
    Client::new(tower::service_fn(route), namespace)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_whose_watch_hangs_takes_a_released_lease_by_polling() {
    let Some(env) = kube_testkit::real("a watch hangs without closing").await else { return };
    let proxy = env.proxy().expect("a proxy");
    let first = replica(&env, "first").await;
    let second = replica_at(env.config_via(&proxy, &TestUser::admin()), options(&env, "second")).await;
    let referee = Referee::new();
    let leader = first.lead(referee.work());
    leads(&leader, "the first leads").await;
    let standby = second.lead(referee.work());
    sees_holder(&standby, "first_1").await;

    proxy.freeze_connections();
    let released = now();
    leader.shutdown().await;
    leads(&standby, "the second leads by polling").await;
    let took = since(released);
    println!("handoff with a hanging watch took {took:?}");
    // Twice RetryPeriod, stretched by the jitter of a fifth, and one request that has to time out on a dead connection.
    let timings = Timings::fast();
    let bound = timings.jittered_retry(1.0) * 2 + timings.request_timeout() + timings.retry_period();
    assert!(took < bound + MARGIN, "{took:?}, where {bound:?} is the bound");
    standby.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_hangs_is_noticed_and_replaced() {
    let Some(env) = kube_testkit::real("a watch hangs without closing").await else { return };
    let proxy = env.proxy().expect("a proxy");
    let first = replica(&env, "first").await;
    let via = env.config_via(&proxy, &TestUser::admin());
    let second = replica_at(via.clone(), options(&env, "second")).await;
    let referee = Referee::new();
    // One that leads, and so writes itself; one that only waits. Both have to notice. With a legacy lock, nobody holds another than the first.
    let own = (!LOCK.is_legacy()).then(|| {
        second
            .candidate(id().suffixed("own").expect("valid"), CandidateOptions::default(), referee.work())
            .expect("valid options")
    });
    if let Some(own) = &own {
        leads(own, "the second holds a Lease of its own").await;
    }
    let third = replica_at(via, options(&env, "third")).await;
    let leader = first.lead(referee.work());
    leads(&leader, "the first leads").await;
    let standby = third.lead(referee.work());
    sees_holder(&standby, "first_1").await;

    proxy.freeze_connections();
    let (frozen, frozen_at) = (now(), jiff::Timestamp::now());
    let of_second = own.as_ref().map(|_| ("second", &second));
    for (name, elections) in of_second.into_iter().chain([("third", &third)]) {
        // A renewal that was written after that can only have come by a new watch, once what was under way is read. It has to be looked
        // for: `LeaseView::changed` is silent about renewals.
        let view = elections.leases();
        let what =
            format!("the watch of the {name} to be replaced: a renewal of the first after {frozen_at}");
        eventually(&what, DEADLINE, || {
            let lease = view.get(&id().lease_name());
            let renewed = lease.and_then(|lease| lease.spec.clone()).and_then(|spec| spec.renew_time);
            // With a legacy lock the time is rounded down.
            let after =
                if LOCK.is_legacy() { frozen_at + jiff::SignedDuration::from_secs(1) } else { frozen_at };
            std::future::ready(renewed.filter(|renewed| renewed.0 > after))
        })
        .await;
        println!("the watch of the {name} was replaced after {:?}", since(frozen));
        eventually("the new watch to count as live", DEADLINE, || {
            std::future::ready(elections.health().watch_is_live.then_some(()))
        })
        .await;
    }
    for candidate in own.into_iter().chain([leader, standby]) {
        candidate.shutdown().await;
    }
}
