use futures::future::BoxFuture;
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, runtime::reflector::ObjectRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{sharded::Sharded, stamper::StampConfig};

mod namespaces;
mod undecodable;

#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Gadget", namespaced, status = "GadgetStatus")]
struct GadgetSpec {}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
struct GadgetStatus {
    bucket: Option<u8>,
}

impl Sharded for Gadget {
    fn recorded_bucket(&self) -> Option<u8> {
        self.status.as_ref()?.bucket
    }
}

#[derive(Clone, Default)]
struct RecordingObserver(
    Arc<Mutex<Vec<String>>>,
    Arc<AtomicUsize>,
    Arc<Mutex<Vec<String>>>,
    /// Whether bucket 8 has gone to another shard.
    Arc<AtomicBool>,
);

impl Observer<Gadget> for RecordingObserver {
    fn shown(&self, _: usize, _: Option<&str>) {}

    fn list_begins(&self, _: usize) {}

    fn list_brings(&self, _: usize, _: Option<&str>) {}

    fn list_ends(&self, _: usize) {}

    fn eligibility(&self, object: &Lenient<Gadget>) -> Eligibility {
        let config = StampConfig {
            bucket_label: "b".into(),
            key_label: Some("tenant".into()),
            owner_finalizer: "owner".into(),
        };
        config.eligibility(object.meta(), object.recorded_bucket())
    }

    fn is_given_away(&self, object: &ObjectMeta) -> bool {
        self.3.load(Ordering::Relaxed)
            && object
                .labels
                .as_ref()
                .is_some_and(|labels| labels.get("b").is_some_and(|bucket| bucket == "8"))
    }

    fn listed(&self, objects: usize) {
        self.0.lock().unwrap().push(format!("listed {objects}"));
    }

    fn cached(&self, objects: usize) {
        self.1.store(objects, Ordering::Relaxed);
    }

    fn uncached(&self, object: &ObjectMeta) {
        self.2.lock().unwrap().extend(object.uid.clone());
    }

    fn left(&self, object: &ObjectMeta) {
        self.0.lock().unwrap().push(format!("left {}", object.name.as_deref().unwrap()));
    }

    fn list_failed(&self) {
        self.0.lock().unwrap().push("list failed".to_owned());
    }

    fn may_list(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

type Changes = mpsc::UnboundedReceiver<Change<Lenient<Gadget>>>;
type Repairs = Changes;

/// One that looks at the namespaces, or at all of them; nothing is listed yet.
fn waiting(namespaces: &[&str]) -> (Reflector<Gadget, RecordingObserver>, Repairs) {
    let (reflector, repairs, _) = all_of(namespaces);
    (reflector, repairs)
}

fn all_of(namespaces: &[&str]) -> (Reflector<Gadget, RecordingObserver>, Repairs, Changes) {
    let (repairs, queue) = mpsc::unbounded_channel();
    let (undecodable, reports) = mpsc::unbounded_channel();
    let parts = if namespaces.is_empty() {
        vec![Part::new(None)]
    } else {
        namespaces.iter().map(|namespace| Part::new(Some(namespace))).collect()
    };
    let side_channels = SideChannels { repairs, undecodable };
    let observer = Arc::new(RecordingObserver::default());
    let order = fastrand::Rng::with_seed(1);
    (Reflector::new(&KindType::of::<Gadget>(), parts, observer, side_channels, order), queue, reports)
}

/// One that has seen an empty list.
fn reflector() -> (Reflector<Gadget, RecordingObserver>, Repairs) {
    let (mut reflector, repairs) = waiting(&[]);
    list(&mut reflector, 0, &[]);
    reflector.observer.0.lock().unwrap().clear();
    (reflector, repairs)
}

/// The names that are to be reconciled.
fn list(
    reflector: &mut Reflector<Gadget, RecordingObserver>,
    part: usize,
    objects: &[Gadget],
) -> Vec<String> {
    assert!(apply(reflector, part, Event::Init).is_empty());
    for object in objects {
        assert!(apply(reflector, part, Event::InitApply(object.clone())).is_empty());
    }
    names(&apply(reflector, part, Event::InitDone))
}

fn apply(
    reflector: &mut Reflector<Gadget, RecordingObserver>,
    part: usize,
    event: Event<Gadget>,
) -> Vec<Gadget> {
    reflector.apply(part, lenient(event))
}

fn lenient(event: Event<Gadget>) -> Event<Lenient<Gadget>> {
    match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(object) => Event::InitApply(object.into()),
        Event::Apply(object) => Event::Apply(object.into()),
        Event::Delete(object) => Event::Delete(object.into()),
    }
}

fn names(objects: &[Gadget]) -> Vec<String> {
    let mut names: Vec<_> = objects.iter().map(ResourceExt::name_any).collect();
    names.sort_unstable();
    names
}

fn cached(reflector: &Reflector<Gadget, RecordingObserver>) -> Vec<String> {
    names(&reflector.store.state().iter().map(|object| Gadget::clone(object)).collect::<Vec<_>>())
}

fn observed(reflector: &Reflector<Gadget, RecordingObserver>) -> Vec<String> {
    reflector.observer.0.lock().unwrap().clone()
}

fn gadget(name: &str, label: &str, recorded: Option<u8>, finalizers: &[&str]) -> Gadget {
    let mut gadget = Gadget::new(name, GadgetSpec {});
    gadget.metadata.namespace = Some("ns".into());
    gadget.metadata.uid = Some(format!("uid-of-{name}"));
    gadget.labels_mut().insert("b".into(), label.into());
    gadget.finalizers_mut().extend(finalizers.iter().map(|finalizer| (*finalizer).to_owned()));
    gadget.status = Some(GadgetStatus { bucket: recorded });
    gadget
}

fn fit(name: &str) -> Gadget {
    gadget(name, "7", Some(7), &["owner"])
}

fn next(repairs: &mut Repairs) -> Option<(bool, String)> {
    repairs.try_recv().ok().map(|change| match change {
        Change::Pending(object) => (true, object.name_any()),
        Change::Settled(cr) => (false, cr),
        Change::Listed { .. } => unreachable!("the reflector says of each object by itself that it is gone"),
    })
}

#[test]
fn the_barrier_is_the_end_of_the_list() {
    let (mut reflector, _repairs) = waiting(&[]);
    apply(&mut reflector, 0, Event::Init);
    assert!(
        apply(&mut reflector, 0, Event::InitApply(fit("a"))).is_empty(),
        "there is nothing to reconcile from yet"
    );
    assert_eq!(reflector.store.len(), 0, "nothing can be reconciled from half a list");
    assert!(observed(&reflector).is_empty());
    assert_eq!(apply(&mut reflector, 0, Event::InitDone).len(), 1);
    assert_eq!(observed(&reflector), ["listed 1"]);
}

#[test]
fn each_list_is_taken_in_an_order_of_its_own_and_in_full() {
    let (mut reflector, _repairs) = reflector();
    let names: Vec<String> = (0..20).map(|number| format!("g{number:02}")).collect();
    let mut list_names = || {
        apply(&mut reflector, 0, Event::Init);
        for name in &names {
            apply(&mut reflector, 0, Event::InitApply(fit(name)));
        }
        apply(&mut reflector, 0, Event::InitDone).iter().map(ResourceExt::name_any).collect::<Vec<_>>()
    };
    let (mut first, second) = (list_names(), list_names());
    assert_ne!(first, names, "whatever is last in the alphabet would always be last");
    assert_ne!(first, second);
    first.sort_unstable();
    assert_eq!(first, names);
}

#[test]
fn what_does_not_fit_is_repaired_and_not_reconciled() {
    let (mut reflector, mut repairs) = reflector();
    for unfit in [
        gadget("foreign label", "8", Some(7), &["owner"]),
        gadget("no record", "7", None, &["owner"]),
        gadget("garbage", "seven", Some(7), &["owner"]),
        gadget("unprotected", "7", Some(7), &[]),
    ] {
        let name = unfit.name_any();
        assert!(apply(&mut reflector, 0, Event::Apply(unfit)).is_empty(), "{name}");
        assert_eq!(next(&mut repairs), Some((true, name)));
    }
    assert_eq!(reflector.store.len(), 0);
}

#[test]
fn an_object_whose_label_is_edited_leaves_the_store_until_it_is_back() {
    let (mut reflector, mut repairs) = reflector();
    let reference = ObjectRef::from_obj(&fit("a"));
    apply(&mut reflector, 0, Event::Apply(fit("a")));
    assert!(reflector.store.get(&reference).is_some());
    apply(&mut reflector, 0, Event::Apply(gadget("a", "8", Some(7), &["owner"])));
    assert!(reflector.store.get(&reference).is_none(), "a requeue of before must not find it");
    assert_eq!(apply(&mut reflector, 0, Event::Apply(fit("a"))).len(), 1);
    let changes: Vec<_> = std::iter::from_fn(|| next(&mut repairs)).map(|(seen, _)| seen).collect();
    assert_eq!(changes, [false, true, false]);
}

#[test]
fn to_leave_the_watch_triggers_nothing() {
    let (mut reflector, _repairs) = reflector();
    apply(&mut reflector, 0, Event::Apply(fit("a")));
    let cached = reflector.observer.1.clone();
    assert_eq!(cached.load(Ordering::Relaxed), 1);
    assert!(apply(&mut reflector, 0, Event::Delete(fit("a"))).is_empty());
    assert_eq!(cached.load(Ordering::Relaxed), 0);
    assert_eq!(observed(&reflector), ["left a"]);
}

/// Deleted before it could be protected, and kept by a foreign finalizer: its name may go at any moment.
#[test]
fn an_object_deleted_without_its_finalizer_is_left_alone() {
    let (mut reflector, mut repairs) = reflector();
    let mut leaving = gadget("a", "7", Some(7), &["someone-elses"]);
    leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    assert!(apply(&mut reflector, 0, Event::Apply(leaving)).is_empty());
    assert_eq!(next(&mut repairs), None);
}

#[test]
fn what_a_later_list_lacks_has_left() {
    let (mut reflector, _repairs) = reflector();
    assert_eq!(list(&mut reflector, 0, &[fit("a"), fit("b")]), ["a", "b"]);
    assert_eq!(list(&mut reflector, 0, &[fit("b"), fit("c")]), ["b", "c"]);
    assert_eq!(cached(&reflector), ["b", "c"]);
    assert_eq!(observed(&reflector), ["listed 2", "left a", "listed 2"]);
}

/// Deleted and made anew while the watch was away: what is kept by uid of the former one has to end.
#[test]
fn a_namesake_in_a_later_list_is_another_object() {
    let (mut reflector, _repairs) = reflector();
    list(&mut reflector, 0, &[with_uid("a", "old")]);
    assert_eq!(list(&mut reflector, 0, &[with_uid("a", "new")]), ["a"]);
    assert_eq!(observed(&reflector), ["listed 1", "left a", "listed 1"]);
    assert_eq!(*reflector.observer.2.lock().unwrap(), ["old"]);
    assert_eq!(reflector.store.state()[0].metadata.uid.as_deref(), Some("new"));
}

#[test]
fn what_leaves_the_cache_is_told_also_if_it_stays_in_the_watch() {
    let (mut reflector, _repairs) = reflector();
    apply(&mut reflector, 0, Event::Apply(with_uid("a", "1")));
    let mut forged = with_uid("a", "1");
    forged.status = None;
    forged.metadata.labels = None;
    apply(&mut reflector, 0, Event::Apply(forged));
    assert_eq!(*reflector.observer.2.lock().unwrap(), ["1"]);
    assert!(observed(&reflector).is_empty(), "it has not left the watch");
}

fn with_uid(name: &str, uid: &str) -> Gadget {
    let mut gadget = fit(name);
    gadget.metadata.uid = Some(uid.to_owned());
    gadget
}

#[test]
fn managed_fields_are_not_kept() {
    let (mut reflector, _repairs) = reflector();
    let with_managed_fields = |name| {
        let mut object = fit(name);
        object.metadata.managed_fields = Some(Vec::new());
        object
    };
    apply(&mut reflector, 0, Event::Apply(with_managed_fields("watched")));
    assert!(reflector.store.state().iter().all(|object| object.metadata.managed_fields.is_none()));
    list(&mut reflector, 0, &[with_managed_fields("watched"), with_managed_fields("listed")]);
    assert_eq!(cached(&reflector), ["listed", "watched"]);
    assert!(reflector.store.state().iter().all(|object| object.metadata.managed_fields.is_none()));
}

#[test]
fn objects_whose_buckets_go_to_another_shard_leave_the_cache_and_do_not_come_back() {
    let (mut reflector, _repairs) = reflector();
    let moving = |name| gadget(name, "8", Some(8), &["owner"]);
    list(&mut reflector, 0, &[fit("stays"), moving("goes")]);
    reflector.observer.3.store(true, Ordering::Relaxed);
    reflector.give_away();
    assert_eq!(cached(&reflector), ["stays"]);
    assert!(apply(&mut reflector, 0, Event::Apply(moving("goes"))).is_empty());
    assert!(apply(&mut reflector, 0, Event::Apply(moving("new"))).is_empty());
    assert_eq!(list(&mut reflector, 0, &[fit("stays"), moving("goes")]), ["stays"]);
    assert_eq!(cached(&reflector), ["stays"]);
}

#[test]
fn objects_whose_buckets_go_to_another_shard_before_the_barrier_are_not_reconciled() {
    let (mut reflector, _repairs) = waiting(&["one", "other"]);
    let moving = Gadget {
        metadata: ObjectMeta {
            namespace: Some("one".into()),
            ..gadget("goes", "8", Some(8), &["owner"]).metadata
        },
        ..fit("goes")
    };
    list(&mut reflector, 0, &[moving]);
    reflector.observer.3.store(true, Ordering::Relaxed);
    reflector.give_away();
    assert!(list(&mut reflector, 1, &[]).is_empty());
    assert!(cached(&reflector).is_empty());
}
