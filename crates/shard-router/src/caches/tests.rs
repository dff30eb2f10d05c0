use futures::FutureExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::*;
use crate::testing::{Gadget, Tenant, child_labels};

/// Which owned types there are, the first with number 1.
const TYPES: [usize; 2] = [1, 2];

fn caches(namespaces: &[&str]) -> Arc<Caches> {
    let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
    Caches::new::<Gadget>(
        &KindType::of::<Gadget>(),
        &Scope::of(&namespaces),
        &[OwnedType::of::<ConfigMap>(), OwnedType::of::<Secret>()],
        child_labels(),
        [],
    )
}

fn list(caches: &Caches, kind: usize, watch: usize) {
    caches.kinds[kind].positions[watch].list_begins();
    caches.kind_list_ends(kind, watch);
}

fn may_begin(caches: &Caches, namespace: &str) -> bool {
    caches.current(Some(namespace), &format!("{namespace}/one")).now_or_never().is_some()
}

#[test]
fn nothing_begins_before_each_owned_type_has_been_listed() {
    for last in TYPES {
        let caches = caches(&[]);
        assert!(!may_begin(&caches, "ns"));
        for kind in TYPES.into_iter().filter(|kind| *kind != last) {
            list(&caches, kind, 0);
        }
        assert!(!may_begin(&caches, "ns"), "type {last} has not been listed");
        list(&caches, last, 0);
        assert!(may_begin(&caches, "ns"));
    }
}

#[test]
fn a_list_of_another_namespace_does_not_count() {
    let caches = caches(&["a", "b"]);
    for kind in TYPES {
        list(&caches, kind, 0);
    }
    assert!(may_begin(&caches, "a") && !may_begin(&caches, "b"));
    assert!(!may_begin(&caches, "elsewhere"), "nobody looks there");
}

/// Its children may be in any of the namespaces, so it waits for all answers. A namespace whose list is refused holds it up no longer than that, and children there
/// stay unknown.
#[test]
fn a_resource_that_is_in_no_namespace_waits_for_the_answers_of_all() {
    let namespaces = Scope::of(&["a", "b"].map(str::to_owned).into());
    let owned = [OwnedType::<Tenant>::of::<ConfigMap>(), OwnedType::of::<Tenant>()];
    let caches = Caches::new(&KindType::of::<Tenant>(), &namespaces, &owned, child_labels(), []);
    let may_begin = || caches.current(None, "one").now_or_never().is_some();
    // The second type is cluster-scoped itself, so it has one list.
    list(&caches, 2, 0);
    caches.kind_answered(2);
    list(&caches, 1, 0);
    assert!(!may_begin(), "a list has not been answered");
    caches.kind_answered(1);
    assert!(may_begin());
    let child =
        |namespace| caches.owned::<ConfigMap>(&KindType::of::<ConfigMap>(), namespace, "one").map(drop);
    assert!(child(Some("a")).is_ok());
    for unknown in ["b", "elsewhere"] {
        let error = child(Some(unknown)).unwrap_err();
        assert!(matches!(error, OwnedError::NotListed { .. }), "{error}");
    }
    assert!(matches!(child(None), Err(OwnedError::NoNamespace { .. })));
    assert!(caches.owned::<Tenant>(&KindType::of::<Tenant>(), None, "one").is_ok());
}
