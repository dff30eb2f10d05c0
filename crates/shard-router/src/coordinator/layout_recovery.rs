//! Whether a layout may be committed where the coordinator Lease carries none. Pure.
//!
//! On a first install it may. Otherwise somebody deleted the coordinator Lease or removed the annotation, and other replicas may still work by the earlier
//! layout. The number of shards may differ from it: nothing starts by the new layout before every holder has acknowledged it. But the key label, the hash and the kinds decide
//! which bucket a resource is in, and who reconciles it, and must not change.
//! Each shard Lease carries the layout that its holder works by.

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;

use crate::{names::Names, routing::layout::Layout};

/// Whether a replica that is configured with `ours` may commit a layout, given all existing Leases.
///
/// # Errors
///
/// A sentence that says why not.
pub(super) fn check(leases: &[Lease], ours: &Layout, names: &Names) -> Result<(), String> {
    for lease in leases.iter().filter(|lease| names.shard_of(&lease.name_any()).is_some()) {
        if let Some(mismatch) = read(lease, names)?.and_then(|layout| layout.mismatch(ours)) {
            return Err(format!(
                "lease {} records no layout; by lease {}, {mismatch}",
                names.coordinator(),
                lease.name_any()
            ));
        }
    }
    Ok(())
}

/// The layout recorded on a shard Lease.
fn read(lease: &Lease, names: &Names) -> Result<Option<Layout>, String> {
    let Some(json) = lease.annotations().get(&names.layout_annotation()) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|error| {
        format!(
            "lease {} records no layout, and the annotation {} of lease {} cannot be read ({error}); run the version that wrote \
             it, or remove the annotation",
            names.coordinator(),
            names.layout_annotation(),
            lease.name_any()
        )
    })
}

#[cfg(test)]
mod tests {
    use lease_core::LeaderElectionId;

    use super::*;

    fn names() -> Names {
        Names::new(LeaderElectionId::new("op.example.com").unwrap(), "example.com")
    }

    fn lease(shard: u16, says: Option<&str>) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.name = Some(format!("op.example.com-shard-{shard}"));
        lease.annotations_mut().extend(says.map(|says| (names().layout_annotation(), says.to_owned())));
        lease
    }

    fn saying(layout: &Layout) -> Lease {
        lease(2, Some(&names().annotation_of_layout(layout).1))
    }

    fn of(shards: u16, key_label: Option<&str>) -> Layout {
        Layout::first(shards.try_into().unwrap(), key_label.map(Into::into))
    }

    fn checked(leases: &[Lease]) -> Result<(), String> {
        check(leases, &of(4, None), &names())
    }

    #[test]
    fn only_the_number_of_shards_may_differ() {
        assert_eq!(checked(&[]), Ok(()));
        assert_eq!(checked(&[lease(0, None), saying(&of(8, None))]), Ok(()));
        let sentence = checked(&[lease(0, None), saying(&of(4, Some("tenant")))]).unwrap_err();
        assert!(
            sentence.contains("lease op.example.com records no layout; by lease op.example.com-shard-2"),
            "{sentence}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        let sentence = checked(&[lease(0, Some("{"))]).unwrap_err();
        assert!(sentence.contains("cannot be read"), "{sentence}");
    }
}
