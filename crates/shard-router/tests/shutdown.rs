//! How long a replica takes to end, in virtual time: no longer than its limit, whether the API server answers or not.

#[path = "shutdown/blackhole.rs"]
mod blackhole;
#[path = "shutdown/virtual_time.rs"]
mod virtual_time;
#[path = "real_api/widget.rs"]
#[expect(
    dead_code,
    reason = "these tests make an API server each, and install the definition there themselves"
)]
mod widget;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, CustomResourceExt as _, api::PostParams};
use kube_testkit::embedded::EmbeddedServer;
use lease_core::{ElectionsOptions, Identity, LeaderElectionId, LeaseRuntime, OnOverrun};
use shard_router::{Action, Held, Options, ShardedController};
use tokio::sync::oneshot;

use crate::{
    blackhole::Blackhole,
    virtual_time::{VirtualClock, VirtualSeams},
    widget::{Widget, create},
};

const NAMESPACE: &str = "default";
/// tokio's timers round up to a millisecond, and more than one of them goes off in a row.
const TIMER_ROUNDING: Duration = Duration::from_millis(5);
/// Nothing here takes that long unless it hangs; virtual, so it costs nothing.
const HUNG: Duration = Duration::from_secs(600);

/// What a reconcile does until it is aborted.
#[derive(Clone, Copy)]
enum Work {
    Returns,
    NeverReturns,
}

/// How long a replica took to end, and its limit.
async fn shutdown(work: Work, api_server_answers: bool) -> (Duration, Duration) {
    let server = EmbeddedServer::new(VirtualSeams::default());
    let admin = server.client(NAMESPACE);
    let definitions: Api<CustomResourceDefinition> = Api::all(admin.clone());
    definitions.create(&PostParams::default(), &Widget::crd()).await.expect("the CRD is accepted");
    create(&Api::namespaced(admin, NAMESPACE), "one", &[]).await;
    let network = Blackhole::before(server.service());
    let options = options();
    let (clock, limit) = (options.elections.clock.clone(), options.shutdown_limit());
    let begun = Arc::new(AtomicUsize::new(0));
    let counted = begun.clone();
    let reconcile = move |_: Arc<Widget>, _: Held| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            match work {
                Work::Returns => Ok::<_, Infallible>(Action::await_change()),
                Work::NeverReturns => std::future::pending().await,
            }
        }
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let controller = ShardedController::new(Client::new(network.clone(), NAMESPACE), options);
    let replica = tokio::spawn(controller.run(reconcile, async { drop(stopped.await) }));
    let at_work = async {
        while begun.load(Ordering::Relaxed) == 0 {
            clock.sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(HUNG, at_work).await.expect("the widget is reconciled");

    network.swallow(!api_server_answers);
    let told = clock.now().monotonic;
    stop.send(()).expect("it runs");
    tokio::time::timeout(HUNG, replica).await.expect("it ends").expect("no panic").expect("no error");
    (clock.now().monotonic.saturating_sub(told), limit)
}

fn options() -> Options {
    let id = LeaderElectionId::new("widgets.test.shard-router.dev").expect("a LeaderElectionID");
    let identity = Identity::of_pod("op-0", "1").expect("an identity");
    let mut elections = ElectionsOptions::new(id, NAMESPACE, identity);
    elections.clock = Arc::new(VirtualClock::default());
    elections.runtime = LeaseRuntime::Current;
    elections.on_overrun = OnOverrun::Call(Arc::new(|why| panic!("{why}")));
    let mut options = Options::for_crd::<Widget>(elections);
    options.shards = 4.try_into().expect("a number of shards");
    options
}

#[tokio::test(start_paused = true)]
async fn an_idle_replica_ends_at_once() {
    let (took, _) = shutdown(Work::Returns, true).await;
    assert!(took < Duration::from_secs(1), "it took {took:?} although everything answers");
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_does_not_answer_costs_no_more_than_the_limit() {
    let (took, limit) = shutdown(Work::Returns, false).await;
    assert!(took <= limit + TIMER_ROUNDING, "it took {took:?}, and its limit is {limit:?}");
}

#[tokio::test(start_paused = true)]
async fn nor_does_work_that_never_ends() {
    let (took, limit) = shutdown(Work::NeverReturns, true).await;
    assert!(took <= limit + TIMER_ROUNDING, "it took {took:?}, and its limit is {limit:?}");
}

#[tokio::test(start_paused = true)]
async fn nor_do_both_together() {
    let (took, limit) = shutdown(Work::NeverReturns, false).await;
    assert!(took <= limit + TIMER_ROUNDING, "it took {took:?}, and its limit is {limit:?}");
}
