//! A namespace that is to be watched and does not exist is told, and holds up no other.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::PostParams};
use shard_router::{Action, Held};

use crate::{
    harness::{Harness, NAMESPACE},
    log::Log,
    widget::{Widget, create},
};

const ABSENT: &str = "team-aa";
const SENTENCE: &str = "WARN shard_router::observability::absent_namespaces: namespace team-aa is to be watched and does not exist, so no \
                        widgets.test.shard-router.dev are found there; create it, or correct the namespaces to watch";
const EXISTS: &str = "namespace team-aa exists now";

/// Longer than it takes until a namespace is looked for again.
const NEXT_LOOK: Duration = Duration::from_secs(301);

#[tokio::test(start_paused = true)]
async fn it_is_said_at_the_start_and_when_it_is_created() {
    for leader_election in [true, false] {
        told(leader_election).await;
    }
}

async fn told(leader_election: bool) {
    let harness = Harness::new().await;
    let (log, _guard) = Log::capture();
    let mut options = harness.options("op-0", 2).with_watch_namespaces([NAMESPACE, ABSENT]);
    options.elections.leader_election = leader_election;
    let reconciled = Arc::new(AtomicUsize::new(0));
    let counted = reconciled.clone();
    let reconcile = move |_: Arc<Widget>, _: Held| {
        counted.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, Infallible>(Action::await_change()) }
    };
    create(&harness.widgets, "one", &[]).await;
    let _replica = harness.start(options, reconcile);
    let is_reconciled = || async { reconciled.load(Ordering::Relaxed) > 0 };
    harness.until("the widget in the other namespace to be reconciled", is_reconciled).await;
    assert_eq!(log.count(SENTENCE), 1, "{}", log.text());
    harness.clock.sleep(NEXT_LOOK).await;
    assert_eq!(log.count("does not exist"), 1, "it is said again, or of another: {}", log.text());

    let namespaces: Api<Namespace> = Api::all(harness.admin());
    let metadata = ObjectMeta { name: Some(ABSENT.to_owned()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    namespaces.create(&PostParams::default(), &namespace).await.expect("created");
    harness.clock.sleep(NEXT_LOOK).await;
    assert_eq!((log.count(EXISTS), log.count(SENTENCE)), (1, 1), "{}", log.text());
}
