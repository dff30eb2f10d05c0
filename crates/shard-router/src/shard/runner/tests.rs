use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use http::{Request, Response};
use kube::{
    Client,
    client::Body,
    core::ObjectMeta,
    runtime::{controller::Action, reflector, watcher::Event},
};
use lease_core::{Connection, Elections, ElectionsOptions, Identity, LeaderElectionId};
use parking_lot::Mutex;
use tower::BoxError;

use super::*;
use crate::{
    authority::held::Held,
    caches::FirstLists,
    kind_type::KindType,
    observability::{
        metrics::Metrics,
        records::{HoldFacts, HoldRecord},
    },
    options::Options,
    routing::{
        bucket::{Bucket, ShardId},
        key::ShardKey,
        kind_set::KindMode,
        part::Part,
    },
    setup::Declared,
    shard::reflect::Observer,
    testing::{ByHand, Gadget, GadgetSpec, child_labels},
    watch::scope::Scope,
};

async fn reconcile(_: Arc<Gadget>, _: Held) -> Result<Action, Infallible> {
    Ok(Action::await_change())
}

fn kind() -> Arc<KindSetup<Gadget, impl Reconciler<Gadget>>> {
    kind_of(reconcile)
}

fn options() -> ElectionsOptions {
    let id = LeaderElectionId::new("op.example.com").unwrap();
    let mut elections = ElectionsOptions::new(id, "ns", Identity::of_pod("op-0", "1").unwrap());
    elections.clock = Arc::new(ByHand::default());
    elections
}

fn silent() -> Client {
    let silent = |_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>();
    Client::new(tower::service_fn(silent), "ns")
}

fn kind_of<R: Reconciler<Gadget>>(reconciler: R) -> Arc<KindSetup<Gadget, R>> {
    let connection = Connection::from(silent());
    let options = Options::new(options());
    let setup =
        Setup::new(&connection, options, "Gadget.example.com".parse().unwrap(), Metrics::default()).unwrap();
    let (of, mode) = (KindType::of::<Gadget>(), KindMode::Sharded);
    Arc::new(KindSetup::new(Arc::new(setup), of, mode, reconciler, Declared::default()))
}

const SHARD: Part = Part::Shard(ShardId(0));

/// The start of a shard that waits for the resources and for so many owned types.
fn warm_up<R: Reconciler<Gadget>>(kind: &KindSetup<Gadget, R>, owned: usize) -> Arc<WarmUp> {
    let (setup, (progress, _end)) = (&kind.setup, kind.progress.track(SHARD));
    Arc::new(WarmUp {
        starts: setup.starts.clone(),
        permit: tokio::sync::Mutex::new(setup.starts.clone().try_acquire_owned().ok()),
        held_since: setup.clock.now().monotonic,
        progress,
        waits_for: WaitsFor::all(owned),
        is_complete: AtomicBool::new(false),
        facts: HoldFacts { lease: "op.example.com-shard-0".to_owned(), part: SHARD, token: 1 },
        recorder: setup.recorder.clone(),
        metrics: setup.metrics.clone(),
        clock: setup.clock.clone(),
    })
}

fn observer<R: Reconciler<Gadget>>(kind: Arc<KindSetup<Gadget, R>>) -> ShardObserver<Gadget, R> {
    ShardObserver {
        part: SHARD,
        tracker: Arc::default(),
        failures: Arc::default(),
        warm_up: warm_up(&kind, 0),
        news: News::new(None),
        caches: Caches::new(&kind.kind, &kind.setup.scope, &kind.owned, child_labels(), []),
        lane: kind.setup.turns.lane(1),
        buckets: all_buckets(&kind),
        shown: AtomicUsize::new(0),
        kind,
    }
}

fn all_buckets<R: Reconciler<Gadget>>(kind: &KindSetup<Gadget, R>) -> Arc<BucketGroup> {
    let label = kind.stamp.bucket_label.as_str().into();
    BucketGroup::new(kind.setup.running_buckets.clone(), 1, label, Bucket::all().collect())
}

/// Whatever is kept by uid or name has an end, or whoever creates and deletes in a loop fills the memory.
#[tokio::test]
async fn nothing_is_kept_for_an_object_that_has_left() {
    let observer = observer(kind());
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

/// The answer to a write may be noted when the watch has shown already that the resource is gone. Nothing would end that entry.
#[tokio::test]
async fn nothing_is_kept_that_a_reconcile_notes_after_its_resource_has_left() {
    let caches = Caches::new::<Gadget>(
        &KindType::of::<Gadget>(),
        &Scope::of(&BTreeSet::new()),
        &[],
        child_labels(),
        [],
    );
    let (store, mut writer) = reflector::store::<Gadget>();
    let (label, mut object) = (kind().stamp.bucket_label.clone(), Gadget::new("one", GadgetSpec {}));
    object.metadata.namespace = Some("ns".to_owned());
    object.metadata.uid = Some("uid-1".to_owned());
    let bucket = ShardKey::of(&object.metadata, None).bucket();
    object.metadata.labels = Some(BTreeMap::from([(label, bucket.to_string())]));
    writer.apply_watcher_event(&Event::Apply(object.clone()));
    let (noting, writer) = (caches.clone(), Mutex::new(writer));
    let kind = kind_of(move |object: Arc<Gadget>, _: Held| {
        writer.lock().apply_watcher_event(&Event::Delete(Gadget::clone(&object)));
        noting.note_write("ns/one");
        assert!(noting.awaits_writes());
        async { Ok::<_, Infallible>(Action::await_change()) }
    });

    let mut alone = options();
    alone.leader_election = false;
    let elections = Elections::start(silent(), alone).await.unwrap();
    let leader = elections.lead(|term: Term| async move { term.draining().await });
    let term = leader.leading().await;
    let (setup, (progress, _end)) = (&kind.setup, kind.progress.track(SHARD));
    let clients = (&setup.clients, &setup.stamper_clients);
    let retry_after = RetryAfter::new(setup.clock.clone(), setup.options.backoff.cap);
    let held = HeldShard::new(
        (SHARD, FencingToken(1)),
        (term.clone(), all_buckets(&kind)),
        clients,
        setup.reporter(),
        "bucket".into(),
        (&progress, retry_after),
        (caches.clone(), kind.applier.clone()),
    );
    let facts = HoldFacts { lease: term.lease().to_string(), part: SHARD, token: 1 };
    let record = HoldRecord::begin(setup.recorder.clone(), facts, term.clone(), term.acquisition_sent());
    let lane = kind.setup.turns.lane(1);
    let shard = ActiveShard::new(kind, held, Arc::default(), record, store, Arc::default(), lane);
    shard.reconcile(Arc::new(object)).await.unwrap();
    assert!(!caches.awaits_writes(), "the caches keep the name");
}

/// Another shard may begin to list once this one has everything, children included, or cannot get on.
#[tokio::test]
async fn the_start_permit_is_kept_until_everything_has_been_listed() {
    let kind = kind();
    let setup = &kind.setup;
    let before = setup.starts.available_permits();
    let shard = warm_up(&kind, 2);
    let is_kept = || setup.starts.available_permits() == before - 1;
    shard.listed(3);
    assert!(is_kept(), "the children are missing");
    shard.answered(1);
    assert!(is_kept(), "so is one of two types");
    shard.answered(0);
    assert!(!is_kept());

    let other = warm_up(&kind, 1);
    assert!(is_kept());
    other.failed();
    assert!(!is_kept(), "whoever cannot list lets others do so");
}
