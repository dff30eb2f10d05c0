use futures::FutureExt;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::*;
use crate::testing::Gadget;

/// Which owned types there are, the first with number 1.
const TYPES: [usize; 2] = [1, 2];

fn caches(namespaces: &[&str]) -> Arc<Caches> {
    let namespaces = namespaces.iter().map(|name| (*name).to_owned()).collect();
    Caches::new::<Gadget>(
        Scope::of(&namespaces),
        &[OwnedType::of::<ConfigMap>(), OwnedType::of::<Secret>()],
        [],
    )
}

fn list(caches: &Caches, kind: usize, watch: usize) {
    caches.kinds[kind].positions[watch].list_begins();
    caches.kind_list_ends(kind, watch);
}

fn may_begin(caches: &Caches, namespace: &str) -> bool {
    caches.current(namespace, &format!("{namespace}/one")).now_or_never().is_some()
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
