//! Which layout to commit if the coordinator Lease carries none. Pure.
//!
//! On a first install that is the layout that this replica is configured with. Otherwise somebody deleted the coordinator Lease or removed
//! the annotation, and other replicas may still work by the earlier layout. Only that one can be recorded again without moving a bucket
//! that is being worked on. Each shard Lease carries it in an annotation, written by the replica that created or held the Lease. One remaining
//! shard Lease is enough.
//!
//! If no shard Lease remains, each former holder loses its shard after RenewDeadline at the latest, and new ones can be taken only after
//! LeaseDuration ([`lease_history`](super::lease_history)). Nobody works by the earlier layout then.

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;

use crate::{
    names::Names,
    routing::{bucket::ShardId, layout::Layout},
};

/// The layout to commit, given all existing Leases, by a replica that is configured with `ours`.
///
/// # Errors
///
/// A sentence that says why this replica must not commit a layout.
pub(super) fn recover(leases: &[Lease], ours: &Layout, names: &Names) -> Result<Layout, String> {
    let mut existing: Vec<(ShardId, &Lease)> =
        leases.iter().filter_map(|lease| Some((names.shard_of(&lease.name_any())?, lease))).collect();
    existing.sort_unstable_by_key(|(shard, _)| *shard);
    let mut recorded: Option<Layout> = None;
    for (_, lease) in &existing {
        let Some(layout) = read(lease, names)? else { continue };
        if let Some(mismatch) = layout.mismatch(ours) {
            return Err(format!(
                "lease {} records no layout; by lease {}, {mismatch}",
                names.coordinator(),
                lease.name_any()
            ));
        }
        if recorded.as_ref().is_none_or(|recorded| recorded.generation < layout.generation) {
            recorded = Some(layout);
        }
    }
    let surplus = existing.last().is_some_and(|(last, _)| last.0 >= ours.shards.get());
    // Older versions wrote no annotation. Then only a complete set of Leases shows the number of shards.
    let whole = existing.iter().map(|(shard, _)| *shard).eq(ours.shards.shards());
    match recorded {
        Some(recorded) if !surplus => Ok(recorded),
        None if existing.is_empty() || whole => Ok(ours.clone()),
        _ => Err(format!(
            "lease {} records no layout, but {} shard Leases exist (the last is {}) and this replica is set to {} shards; start \
             replicas with the former number of shards, or stop all of them and delete the shard Leases",
            names.coordinator(),
            existing.len(),
            existing.last().map(|(_, lease)| lease.name_any()).unwrap_or_default(),
            ours.shards
        )),
    }
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

    fn of(shards: u16) -> Layout {
        Layout::first(shards.try_into().unwrap(), None)
    }

    fn lease(shard: u16, says: Option<&str>) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.name = Some(format!("op.example.com-shard-{shard}"));
        lease.annotations_mut().extend(says.map(|says| (names().layout_annotation(), says.to_owned())));
        lease
    }

    /// Leases of these shards, which say that there are `of` of them.
    fn saying(shards: &[u16], layout: &Layout) -> Vec<Lease> {
        let json = names().annotation_of_layout(layout).1;
        shards.iter().map(|shard| lease(*shard, Some(&json))).collect()
    }

    fn silent(shards: &[u16]) -> Vec<Lease> {
        shards.iter().map(|shard| lease(*shard, None)).collect()
    }

    fn committed(leases: &[Lease]) -> Result<Layout, String> {
        recover(leases, &of(4), &names())
    }

    #[test]
    fn a_first_install_commits_what_is_set() {
        assert_eq!(committed(&[]), Ok(of(4)));
        let mut others = lease(0, None);
        others.metadata.name = Some("another-shard-9".into());
        assert_eq!(committed(&[others]), Ok(of(4)));
    }

    #[test]
    fn one_lease_that_remains_tells_the_former_layout() {
        assert_eq!(committed(&saying(&[2], &of(4))), Ok(of(4)));
        let with_silent_ones = [silent(&[0, 3]), saying(&[2], &of(4))].concat();
        assert_eq!(committed(&with_silent_ones), Ok(of(4)));
        let later = Layout { generation: 7, ..of(4) };
        let leases = [saying(&[0], &later), saying(&[1], &of(4))].concat();
        assert_eq!(committed(&leases), Ok(later), "the newest one goes on");
    }

    #[test]
    fn another_layout_is_never_replaced() {
        for leases in [
            saying(&[0, 1, 2, 3], &of(8)),
            [saying(&[0, 1], &of(4)), saying(&[2], &of(8))].concat(),
            [saying(&[0], &of(4)), silent(&[4])].concat(),
            saying(&[0, 1, 2, 3], &Layout::first(4.try_into().unwrap(), Some("tenant".into()))),
        ] {
            let sentence = committed(&leases).unwrap_err();
            assert!(sentence.contains("lease op.example.com records no layout"), "{sentence}");
        }
        let sentence = committed(&saying(&[1], &of(8))).unwrap_err();
        assert!(
            sentence.contains("op.example.com-shard-1") && sentence.contains("set to 4 shards"),
            "{sentence}"
        );
    }

    #[test]
    fn leases_that_say_nothing_have_to_be_a_whole_set() {
        assert_eq!(committed(&silent(&[0, 1, 2, 3])), Ok(of(4)));
        for shards in [&[0, 1][..], &[1, 2, 3], &[0, 1, 2, 3, 4, 5, 6, 7]] {
            assert!(committed(&silent(shards)).is_err(), "{shards:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        let sentence = committed(&[lease(0, Some("{"))]).unwrap_err();
        assert!(sentence.contains("cannot be read"), "{sentence}");
    }
}
