use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, runtime::reflector::ObjectRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::sharded::fitness;

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
struct Seen(Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>);

impl Observer<Gadget> for Seen {
    fn fitness(&self, object: &Gadget) -> Fitness {
        fitness(object, "b", Some("owner"))
    }

    fn listed(&self, objects: usize) {
        self.0.lock().unwrap().push(format!("listed {objects}"));
    }

    fn cached(&self, objects: usize) {
        self.1.store(objects, Ordering::Relaxed);
    }

    fn left(&self, object: &Gadget) {
        self.0.lock().unwrap().push(format!("left {}", object.name_any()));
    }
}

type Repairs = mpsc::UnboundedReceiver<Change<Gadget>>;

fn reflector() -> (Reflector<Gadget, Seen>, Repairs) {
    let (repairs, queue) = mpsc::unbounded_channel();
    let writer = Writer::<Gadget>::default();
    let store = writer.as_reader();
    let (observer, order) = (Seen::default(), fastrand::Rng::with_seed(1));
    (Reflector { writer, store, observer, repairs, listed: Vec::new(), order }, queue)
}

fn gadget(name: &str, label: &str, recorded: Option<u8>, finalizers: &[&str]) -> Gadget {
    let mut gadget = Gadget::new(name, GadgetSpec {});
    gadget.metadata.namespace = Some("ns".into());
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
        Change::Seen(object) => (true, object.name_any()),
        Change::Gone(object) => (false, object.name_any()),
    })
}

#[test]
fn the_barrier_is_the_end_of_the_list() {
    let (mut reflector, _repairs) = reflector();
    reflector.apply(Event::Init);
    assert!(reflector.apply(Event::InitApply(fit("a"))).is_empty(), "there is nothing to reconcile from yet");
    assert_eq!(reflector.store.len(), 0, "nothing can be reconciled from half a list");
    assert!(reflector.observer.0.lock().unwrap().is_empty());
    assert_eq!(reflector.apply(Event::InitDone).len(), 1);
    assert_eq!(reflector.observer.0.lock().unwrap().clone(), ["listed 1"]);
}

#[test]
fn each_list_is_taken_in_an_order_of_its_own_and_in_full() {
    let (mut reflector, _repairs) = reflector();
    let names: Vec<String> = (0..20).map(|number| format!("g{number:02}")).collect();
    let mut list = || {
        reflector.apply(Event::Init);
        for name in &names {
            reflector.apply(Event::InitApply(fit(name)));
        }
        reflector.apply(Event::InitDone).iter().map(ResourceExt::name_any).collect::<Vec<_>>()
    };
    let (mut first, second) = (list(), list());
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
        assert!(reflector.apply(Event::Apply(unfit)).is_empty(), "{name}");
        assert_eq!(next(&mut repairs), Some((true, name)));
    }
    assert_eq!(reflector.store.len(), 0);
}

#[test]
fn an_object_whose_label_is_edited_leaves_the_store_until_it_is_back() {
    let (mut reflector, mut repairs) = reflector();
    let reference = ObjectRef::from_obj(&fit("a"));
    reflector.apply(Event::Apply(fit("a")));
    assert!(reflector.store.get(&reference).is_some());
    reflector.apply(Event::Apply(gadget("a", "8", Some(7), &["owner"])));
    assert!(reflector.store.get(&reference).is_none(), "a requeue of before must not find it");
    assert_eq!(reflector.apply(Event::Apply(fit("a"))).len(), 1);
    let changes: Vec<_> = std::iter::from_fn(|| next(&mut repairs)).map(|(seen, _)| seen).collect();
    assert_eq!(changes, [false, true, false]);
}

#[test]
fn to_leave_the_watch_triggers_nothing() {
    let (mut reflector, _repairs) = reflector();
    reflector.apply(Event::Apply(fit("a")));
    let cached = reflector.observer.1.clone();
    assert_eq!(cached.load(Ordering::Relaxed), 1);
    assert!(reflector.apply(Event::Delete(fit("a"))).is_empty());
    assert_eq!(cached.load(Ordering::Relaxed), 0);
    assert_eq!(reflector.observer.0.lock().unwrap().clone(), ["left a"]);
}

/// Deleted before it could be protected, and kept by a foreign finalizer: its name may go at any moment.
#[test]
fn an_object_deleted_without_its_finalizer_is_left_alone() {
    let (mut reflector, mut repairs) = reflector();
    let mut leaving = gadget("a", "7", Some(7), &["someone-elses"]);
    leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    assert!(reflector.apply(Event::Apply(leaving)).is_empty());
    assert_eq!(next(&mut repairs), None);
}
