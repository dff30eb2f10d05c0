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
struct Seen(Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>);

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

    fn uncached(&self, object: &Gadget) {
        self.2.lock().unwrap().extend(object.uid());
    }

    fn left(&self, object: &Gadget) {
        self.0.lock().unwrap().push(format!("left {}", object.name_any()));
    }
}

type Repairs = mpsc::UnboundedReceiver<Change<Gadget>>;

/// One that looks at the namespaces, or at all of them; nothing is listed yet.
fn waiting(namespaces: &[&str]) -> (Reflector<Gadget, Seen>, Repairs) {
    let (repairs, queue) = mpsc::unbounded_channel();
    let parts = if namespaces.is_empty() {
        vec![Part::new(None)]
    } else {
        namespaces.iter().map(|namespace| Part::new(Some(namespace))).collect()
    };
    (Reflector::new(parts, Seen::default(), repairs, fastrand::Rng::with_seed(1)), queue)
}

/// One that has seen an empty list.
fn reflector() -> (Reflector<Gadget, Seen>, Repairs) {
    let (mut reflector, repairs) = waiting(&[]);
    list(&mut reflector, 0, &[]);
    reflector.observer.0.lock().unwrap().clear();
    (reflector, repairs)
}

/// The names that are to be reconciled.
fn list(reflector: &mut Reflector<Gadget, Seen>, part: usize, objects: &[Gadget]) -> Vec<String> {
    assert!(reflector.apply(part, Event::Init).is_empty());
    for object in objects {
        assert!(reflector.apply(part, Event::InitApply(object.clone())).is_empty());
    }
    names(&reflector.apply(part, Event::InitDone))
}

fn names(objects: &[Gadget]) -> Vec<String> {
    let mut names: Vec<_> = objects.iter().map(ResourceExt::name_any).collect();
    names.sort_unstable();
    names
}

fn cached(reflector: &Reflector<Gadget, Seen>) -> Vec<String> {
    names(&reflector.store.state().iter().map(|object| Gadget::clone(object)).collect::<Vec<_>>())
}

fn observed(reflector: &Reflector<Gadget, Seen>) -> Vec<String> {
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
        Change::Seen(object) => (true, object.name_any()),
        Change::Gone(object) => (false, object.name_any()),
    })
}

#[test]
fn the_barrier_is_the_end_of_the_list() {
    let (mut reflector, _repairs) = waiting(&[]);
    reflector.apply(0, Event::Init);
    assert!(
        reflector.apply(0, Event::InitApply(fit("a"))).is_empty(),
        "there is nothing to reconcile from yet"
    );
    assert_eq!(reflector.store.len(), 0, "nothing can be reconciled from half a list");
    assert!(observed(&reflector).is_empty());
    assert_eq!(reflector.apply(0, Event::InitDone).len(), 1);
    assert_eq!(observed(&reflector), ["listed 1"]);
}

#[test]
fn each_list_is_taken_in_an_order_of_its_own_and_in_full() {
    let (mut reflector, _repairs) = reflector();
    let names: Vec<String> = (0..20).map(|number| format!("g{number:02}")).collect();
    let mut list_names = || {
        reflector.apply(0, Event::Init);
        for name in &names {
            reflector.apply(0, Event::InitApply(fit(name)));
        }
        reflector.apply(0, Event::InitDone).iter().map(ResourceExt::name_any).collect::<Vec<_>>()
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
        assert!(reflector.apply(0, Event::Apply(unfit)).is_empty(), "{name}");
        assert_eq!(next(&mut repairs), Some((true, name)));
    }
    assert_eq!(reflector.store.len(), 0);
}

#[test]
fn an_object_whose_label_is_edited_leaves_the_store_until_it_is_back() {
    let (mut reflector, mut repairs) = reflector();
    let reference = ObjectRef::from_obj(&fit("a"));
    reflector.apply(0, Event::Apply(fit("a")));
    assert!(reflector.store.get(&reference).is_some());
    reflector.apply(0, Event::Apply(gadget("a", "8", Some(7), &["owner"])));
    assert!(reflector.store.get(&reference).is_none(), "a requeue of before must not find it");
    assert_eq!(reflector.apply(0, Event::Apply(fit("a"))).len(), 1);
    let changes: Vec<_> = std::iter::from_fn(|| next(&mut repairs)).map(|(seen, _)| seen).collect();
    assert_eq!(changes, [false, true, false]);
}

#[test]
fn to_leave_the_watch_triggers_nothing() {
    let (mut reflector, _repairs) = reflector();
    reflector.apply(0, Event::Apply(fit("a")));
    let cached = reflector.observer.1.clone();
    assert_eq!(cached.load(Ordering::Relaxed), 1);
    assert!(reflector.apply(0, Event::Delete(fit("a"))).is_empty());
    assert_eq!(cached.load(Ordering::Relaxed), 0);
    assert_eq!(observed(&reflector), ["left a"]);
}

/// Deleted before it could be protected, and kept by a foreign finalizer: its name may go at any moment.
#[test]
fn an_object_deleted_without_its_finalizer_is_left_alone() {
    let (mut reflector, mut repairs) = reflector();
    let mut leaving = gadget("a", "7", Some(7), &["someone-elses"]);
    leaving.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    assert!(reflector.apply(0, Event::Apply(leaving)).is_empty());
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
    reflector.apply(0, Event::Apply(with_uid("a", "1")));
    let mut forged = with_uid("a", "1");
    forged.status = None;
    forged.metadata.labels = None;
    reflector.apply(0, Event::Apply(forged));
    assert_eq!(*reflector.observer.2.lock().unwrap(), ["1"]);
    assert!(observed(&reflector).is_empty(), "it has not left the watch");
}

fn with_uid(name: &str, uid: &str) -> Gadget {
    let mut gadget = fit(name);
    gadget.metadata.uid = Some(uid.to_owned());
    gadget
}

fn fit_in(namespace: &str, name: &str) -> Gadget {
    let mut gadget = fit(name);
    gadget.metadata.namespace = Some(namespace.to_owned());
    gadget
}

#[test]
fn the_barrier_waits_for_every_namespace() {
    let (mut reflector, mut repairs) = waiting(&["x", "y"]);
    assert!(list(&mut reflector, 0, &[fit_in("x", "a"), fit_in("x", "b"), fit_in("x", "c")]).is_empty());
    // Meanwhile the watch of the first one goes on.
    assert!(reflector.apply(0, Event::Delete(fit_in("x", "b"))).is_empty());
    let mut unfit = gadget("c", "8", Some(7), &["owner"]);
    unfit.metadata.namespace = Some("x".to_owned());
    assert!(reflector.apply(0, Event::Apply(unfit)).is_empty());
    assert!(reflector.apply(0, Event::Apply(fit_in("x", "d"))).is_empty());
    assert!(
        reflector.apply(0, Event::Apply(fit_in("x", "d"))).is_empty(),
        "a second state of it is no second one"
    );
    assert_eq!((cached(&reflector).len(), observed(&reflector)), (0, vec!["left b".to_owned()]));
    assert_eq!(list(&mut reflector, 1, &[fit_in("y", "a")]), ["a", "a", "d"]);
    assert_eq!(cached(&reflector), ["a", "a", "d"]);
    assert_eq!(observed(&reflector).last().unwrap(), "listed 3");
    let repaired: Vec<_> = std::iter::from_fn(|| next(&mut repairs)).filter(|(seen, _)| *seen).collect();
    assert_eq!(repaired, [(true, "c".to_owned())]);
}

#[test]
fn a_list_anew_before_the_barrier_counts_from_its_end() {
    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    list(&mut reflector, 0, &[fit_in("x", "a"), fit_in("x", "gone")]);
    reflector.apply(0, Event::Init);
    assert!(list(&mut reflector, 1, &[fit_in("y", "b")]).is_empty(), "that list is not complete yet");
    reflector.apply(0, Event::InitApply(fit_in("x", "a")));
    assert_eq!(names(&reflector.apply(0, Event::InitDone)), ["a", "b"]);
}

#[test]
fn a_list_of_one_namespace_says_nothing_about_another() {
    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    list(&mut reflector, 0, &[fit_in("x", "a"), fit_in("x", "b")]);
    list(&mut reflector, 1, &[fit_in("y", "c")]);
    assert_eq!(list(&mut reflector, 0, &[fit_in("x", "a")]), ["a"]);
    assert_eq!(cached(&reflector), ["a", "c"]);
}

#[test]
fn a_namespace_that_is_refused_holds_up_no_other() {
    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    assert!(reflector.failed(0).is_empty(), "nothing is listed yet");
    assert_eq!(list(&mut reflector, 1, &[fit_in("y", "b")]), ["b"]);
    // The right to look there is granted later.
    assert_eq!(list(&mut reflector, 0, &[fit_in("x", "a")]), ["a"]);

    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    assert!(list(&mut reflector, 1, &[fit_in("y", "b")]).is_empty());
    reflector.apply(0, Event::Init);
    assert_eq!(names(&reflector.failed(0)), ["b"]);
    assert!(reflector.failed(0).is_empty() && reflector.failed(1).is_empty(), "they are at work already");
}

#[test]
fn a_failed_list_of_all_there_is_opens_nothing() {
    let (mut reflector, _repairs) = waiting(&[]);
    reflector.apply(0, Event::Init);
    reflector.apply(0, Event::InitApply(fit("a")));
    assert!(reflector.failed(0).is_empty());
    assert!(observed(&reflector).is_empty());
    assert_eq!(list(&mut reflector, 0, &[fit("b")]), ["b"]);
}
