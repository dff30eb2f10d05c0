use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};

use super::*;
use crate::testing::{Gadget, child_labels};

/// A watch of all namespaces, and the caches that it fills.
struct Watch {
    part: Part,
    caches: Arc<Caches>,
}

impl Watch {
    fn new() -> Self {
        let scope = Scope::of(&std::collections::BTreeSet::new());
        let caches = Caches::new::<Gadget>(
            &KindType::of::<Gadget>(),
            &scope,
            &[OwnedType::of::<ConfigMap>()],
            child_labels(),
            [],
        );
        Self { part: Part::new(None), caches }
    }

    /// The names of the owners to be reconciled because of this event.
    fn shows(&mut self, event: Event<ConfigMap>) -> Vec<String> {
        let event = match event {
            Event::Init => Event::Init,
            Event::InitDone => Event::InitDone,
            Event::InitApply(object) => Event::InitApply(object.into()),
            Event::Apply(object) => Event::Apply(object.into()),
            Event::Delete(object) => Event::Delete(object.into()),
        };
        let due: Vec<ObjectRef<Gadget>> = self.part.apply(event, &self.caches, (0, 0));
        due.into_iter().map(|owner| owner.name).collect()
    }

    fn lists(&mut self, objects: &[ConfigMap]) -> Vec<String> {
        self.shows(Event::Init);
        for object in objects {
            assert!(self.shows(Event::InitApply(object.clone())).is_empty());
        }
        self.shows(Event::InitDone)
    }

    fn version(&self, name: &str) -> Option<String> {
        let found = self
            .caches
            .owned::<ConfigMap>(&KindType::of::<ConfigMap>(), Some("ns"), name)
            .expect("it decodes");
        found.and_then(|found| found.metadata.resource_version.clone())
    }
}

fn child(name: &str, owner: &str, version: &str) -> ConfigMap {
    let owner = OwnerReference {
        api_version: "example.com/v1".into(),
        kind: "Gadget".into(),
        name: owner.into(),
        uid: format!("uid-of-{owner}"),
        ..OwnerReference::default()
    };
    let metadata = ObjectMeta {
        name: Some(name.into()),
        namespace: Some("ns".into()),
        resource_version: Some(version.into()),
        owner_references: Some(vec![owner]),
        managed_fields: Some(Vec::new()),
        ..ObjectMeta::default()
    };
    ConfigMap { metadata, ..ConfigMap::default() }
}

#[test]
fn the_first_list_triggers_nobody_as_the_resources_wait_for_it() {
    let mut watch = Watch::new();
    assert!(watch.lists(&[child("a", "one", "5")]).is_empty());
    assert_eq!(watch.version("a").as_deref(), Some("5"));
    assert_eq!(watch.version("b"), None);
}

#[test]
fn a_later_list_triggers_the_owners_of_what_is_new_changed_or_gone() {
    let mut watch = Watch::new();
    let list = [child("gone", "one", "2"), child("kept", "two", "3"), child("changed", "three", "4")];
    watch.lists(&list);
    let mut due =
        watch.lists(&[child("kept", "two", "3"), child("changed", "three", "8"), child("new", "four", "7")]);
    due.sort_unstable();
    assert_eq!(due, ["four", "one", "three"]);
    assert_eq!(watch.version("gone"), None);
}

#[test]
fn a_list_is_not_seen_before_it_is_complete() {
    let mut watch = Watch::new();
    watch.lists(&[child("a", "one", "5")]);
    watch.shows(Event::Init);
    watch.shows(Event::InitApply(child("a", "one", "9")));
    assert_eq!(watch.version("a").as_deref(), Some("5"));
}

#[test]
fn one_that_a_child_was_taken_from_is_triggered_as_well() {
    let mut watch = Watch::new();
    watch.lists(&[child("a", "one", "5")]);
    assert_eq!(watch.shows(Event::Apply(child("a", "two", "6"))), ["two", "one"]);
    assert_eq!(watch.shows(Event::Delete(child("a", "two", "7"))), ["two"]);
    assert_eq!(watch.version("a"), None);
}

#[test]
fn managed_fields_are_not_kept_and_a_type_that_is_not_declared_is_an_error() {
    let mut watch = Watch::new();
    watch.lists(&[child("a", "one", "5")]);
    let found = watch
        .caches
        .owned::<ConfigMap>(&KindType::of::<ConfigMap>(), Some("ns"), "a")
        .expect("it decodes")
        .expect("there");
    assert_eq!(found.metadata.managed_fields, None);
    let other = watch.caches.owned::<Secret>(&KindType::of::<Secret>(), Some("ns"), "a");
    assert!(other.expect_err("not declared").to_string().contains("Secret is not an owned type"));
}
