//! Detects an operator of an older version that does not shard and holds the coordinator Lease. Pure.
//!
//! The coordinator Lease has the name of the LeaderElectionID, so a version that does not shard contends for it too, and the two versions
//! exclude each other. After an upgrade, no shard starts before the coordinator Lease carries a layout. After a *rollback* the layout is no
//! help: a process that takes over the Lease keeps its annotations (client-go does), so the layout is still there while the new holder reconciles
//! everything.
//!
//! *Rule.* A coordinator writes its identity into an annotation with each write. If the holder is not the one named there, and has no member
//! Lease either, it is a predecessor. The layout then counts as absent, and the shards stop as on the loss of their Leases.
//!
//! The member Lease covers coordinators of versions that did not write the annotation yet. It is not enough alone: it is deleted with its Pod,
//! even if the Pod is deleted by force and its process still runs.

use k8s_openapi::api::coordination::v1::Lease;
use lease_core::{Identity, NOBODY};

use crate::{names::Names, rules};

/// The holder of the coordinator Lease, if it is a predecessor. `is_member`: whether a member Lease names this identity.
pub(crate) fn predecessor(
    names: &Names,
    coordinator: &Lease,
    is_member: impl FnOnce(&Identity) -> bool,
) -> Option<Identity> {
    let holder = holder(coordinator).filter(|holder| holder.as_str() != NOBODY)?;
    let annotations = coordinator.metadata.annotations.as_ref();
    let writer = annotations.and_then(|all| all.get(&names.coordinator_annotation()));
    let shards = writer.is_some_and(|writer| writer == holder.as_str()) || is_member(&holder);
    rules::layout_is_void(shards).then_some(holder)
}

/// Whether one of these Leases is the member Lease of this identity.
pub(crate) fn is_member<'a>(
    names: &Names,
    leases: impl IntoIterator<Item = &'a Lease>,
    identity: &Identity,
) -> bool {
    leases.into_iter().any(|lease| {
        lease.metadata.name.as_deref().is_some_and(|name| names.is_member(name))
            && holder(lease).as_ref() == Some(identity)
    })
}

/// Who holds a Lease.
pub(crate) fn holder(lease: &Lease) -> Option<Identity> {
    Identity::new(lease.spec.as_ref()?.holder_identity.clone()?).ok()
}

#[cfg(test)]
mod tests {
    use lease_core::LeaderElectionId;

    use super::*;

    fn names() -> Names {
        Names::new(LeaderElectionId::new("op.example.com").unwrap(), "example.com")
    }

    fn held_by(holder: &str, writer: Option<&str>) -> Lease {
        let mut lease = Lease::default();
        lease.spec.get_or_insert_default().holder_identity = Some(holder.into());
        lease.metadata.annotations =
            writer.map(|writer| [(names().coordinator_annotation(), writer.to_owned())].into());
        lease
    }

    fn found(holder: &str, writer: Option<&str>, is_member: bool) -> Option<String> {
        predecessor(&names(), &held_by(holder, writer), |_| is_member).map(|identity| identity.to_string())
    }

    #[test]
    fn a_holder_that_names_itself_shards() {
        assert_eq!(found("a_1", Some("a_1"), false), None);
    }

    #[test]
    fn a_holder_that_somebody_else_named_is_a_predecessor() {
        assert_eq!(found("old_1", Some("a_1"), false).as_deref(), Some("old_1"));
        assert_eq!(found("old_1", None, false).as_deref(), Some("old_1"));
    }

    #[test]
    fn a_coordinator_of_a_version_that_did_not_name_itself_is_known_by_its_member_lease() {
        assert_eq!(found("a_1", None, true), None);
        assert_eq!(found("b_1", Some("a_1"), true), None, "in the middle of an upgrade");
    }

    #[test]
    fn nobody_is_no_predecessor() {
        assert_eq!(found("", Some("a_1"), false), None);
        assert_eq!(found(NOBODY, None, false), None);
    }

    #[test]
    fn members_are_found_by_name_and_holder() {
        let mut member = held_by("a_1", None);
        member.metadata.name = Some("op.example.com-member-0123456789ab".into());
        let mut shard = held_by("b_1", None);
        shard.metadata.name = Some("op.example.com-shard-0".into());
        let leases = [member, shard];
        let is_member = |name: &str| is_member(&names(), &leases, &Identity::new(name).unwrap());
        assert!(is_member("a_1") && !is_member("b_1"));
    }
}
