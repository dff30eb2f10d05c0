use std::convert::Infallible;

use http::{Request, Response};
use kube::{Client, client::Body, runtime::controller::Action};
use lease_core::{Connection, ElectionsOptions, Identity, LeaderElectionId};
use tower::BoxError;

use super::*;
use crate::{
    authority::held::Held,
    observability::metrics::Metrics,
    options::Options,
    testing::{ByHand, Gadget},
};

async fn reconcile(_: Arc<Gadget>, _: Held) -> Result<Action, Infallible> {
    Ok(Action::await_change())
}

fn setup() -> Arc<Setup<Gadget, impl Reconciler<Gadget>>> {
    let id = LeaderElectionId::new("op.example.com").unwrap();
    let mut elections = ElectionsOptions::new(id, "ns", Identity::of_pod("op-0", "1").unwrap());
    elections.clock = Arc::new(ByHand::default());
    let silent = |_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>();
    let client = Client::new(tower::service_fn(silent), "ns");
    let connection = Connection::from(client);
    let options = Options::new(elections);
    Arc::new(Setup::new(&connection, options, reconcile, Vec::new(), Metrics::default()).unwrap())
}

const SHARD: ShardId = ShardId(0);

/// The start of a shard that waits for the resources and for so many owned types.
fn warm_up<R: Reconciler<Gadget>>(setup: &Setup<Gadget, R>, owned: usize) -> Arc<WarmUp> {
    let (progress, _end) = setup.progress.track(SHARD);
    Arc::new(WarmUp {
        starts: setup.starts.clone(),
        permit: tokio::sync::Mutex::new(setup.starts.clone().try_acquire_owned().ok()),
        held_since: setup.clock.now().monotonic,
        progress,
        waits_for: WaitsFor::all(owned),
        is_complete: AtomicBool::new(false),
        facts: HoldFacts { lease: "op.example.com-shard-0".to_owned(), shard: SHARD, token: 1 },
        recorder: setup.recorder.clone(),
        metrics: setup.metrics.clone(),
        clock: setup.clock.clone(),
    })
}

fn observer<R: Reconciler<Gadget>>(setup: Arc<Setup<Gadget, R>>) -> ShardObserver<Gadget, R> {
    ShardObserver {
        shard: SHARD,
        tracker: Arc::default(),
        failures: Arc::default(),
        warm_up: warm_up(&setup, 0),
        caches: Caches::new(setup.scope.clone(), &setup.owned),
        setup,
    }
}

/// Whatever is kept by uid or name has an end, or whoever creates and deletes in a loop fills the memory.
#[tokio::test]
async fn nothing_is_kept_for_an_object_that_has_left() {
    let observer = observer(setup());
    let object = ObjectMeta {
        name: Some("one".to_owned()),
        namespace: Some("ns".to_owned()),
        uid: Some("uid-1".to_owned()),
        ..ObjectMeta::default()
    };
    observer.tracker.finish("uid-1");
    observer.failures.count("uid-1", || true);
    observer.caches.note_write("ns/one");

    observer.left(&object);
    assert!(!observer.tracker.is_finished("uid-1"), "the tracker keeps the uid");
    assert!(!observer.caches.awaits_writes(), "the caches keep the name");
    observer.uncached(&object);
    assert_eq!(observer.failures.of("uid-1"), 0, "the failures are kept");
}

/// Another shard may begin to list once this one has everything, children included, or cannot get on.
#[tokio::test]
async fn the_start_permit_is_kept_until_everything_has_been_listed() {
    let setup = setup();
    let before = setup.starts.available_permits();
    let shard = warm_up(&setup, 2);
    let is_kept = || setup.starts.available_permits() == before - 1;
    shard.listed(3);
    assert!(is_kept(), "the children are missing");
    shard.answered(1);
    assert!(is_kept(), "so is one of two types");
    shard.answered(0);
    assert!(!is_kept());

    let other = warm_up(&setup, 1);
    assert!(is_kept());
    other.failed();
    assert!(!is_kept(), "whoever cannot list lets others do so");
}
