//! The kinds that are not sharded: the holder of the coordinator Lease reconciles all of their resources.
//!
//! That Lease excludes two holders, as a shard Lease does. It does not exclude holders of shards, and under a former layout such a kind may have been
//! sharded. The kinds of a layout are replaced where that [is asked for](crate::Options::layout_replacement), or after somebody has deleted Leases by hand, whose holders remain valid for up to RenewDeadline. The shard Leases of
//! the new layout are then created with a placeholder as holder ([`lease_history`](super::lease_history)), and the work waits until all of them have had another one. Where a
//! layout has been recovered or replaced while shard Leases existed, it also waits until these have acknowledged it. A change of the number of shards concerns no such kind.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use lease_core::{Backoff, NOBODY, Term};

use super::Coordinator;
use crate::{
    fencing::RowKey,
    names::Names,
    ownership::HoldRows,
    routing::bucket::{ShardCount, ShardId},
    rules,
    shard::hold,
};

impl Coordinator {
    /// Works on them until the term has drained. `generation` is the one that this coordinator has committed or found. Cancelled by being dropped.
    pub(super) async fn unsharded(&self, term: &Term, generation: u64, rows: &HoldRows) {
        let confirmed = async {
            let (confirmed, ()) = futures::join!(
                self.no_former_layout_is_in_force(generation),
                rows.ready(RowKey::Coordinator)
            );
            confirmed
        };
        hold::unsharded(self.setup.clone(), self.kinds.clone(), term.clone(), confirmed).await;
    }

    /// Resolves with `true` when that is certain.
    async fn no_former_layout_is_in_force(&self, generation: u64) -> bool {
        self.setup.layouts.reached(generation).await;
        let names = &self.setup.names;
        let timings = self.elections.options().timings;
        let (mut view, mut backoff) = (self.elections.leases(), Backoff::new(timings));
        let mut layouts = self.setup.layouts.subscribe();
        loop {
            // The number of shards may change meanwhile.
            let current = layouts.borrow_and_update().generation();
            let is_over = |leases: &mut dyn Iterator<Item = &Lease>| {
                current.is_some_and(|current| {
                    current.is_known_to_all() && all_are_taken_up(leases, current.shards, names)
                })
            };
            let snapshot = view.snapshot();
            let known = is_over(&mut snapshot.iter().map(|shown| &*shown.lease));
            if !rules::no_former_layout_is_in_force(known) {
                tokio::select! {
                    () = view.changed() => {}
                    Ok(()) = layouts.changed() => {}
                }
                continue;
            }
            // The view may be older than the layout, and show the Leases of the former one.
            match self.elections.client().list().await {
                Ok(leases) => {
                    let all = is_over(&mut leases.iter());
                    if rules::no_former_layout_is_in_force(all) {
                        return true;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the Leases could not be listed; the kinds that are not sharded wait");
                }
            }
            let now = self.setup.clock.now().monotonic;
            self.setup.clock.sleep(backoff.after_failure(now)).await;
        }
    }
}

/// Whether the Lease of each shard exists, and none of them has the placeholder as its holder.
fn all_are_taken_up<'a>(
    leases: impl IntoIterator<Item = &'a Lease>,
    shards: ShardCount,
    names: &Names,
) -> bool {
    let holder = |lease: &'a Lease| lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
    let holders: BTreeMap<ShardId, Option<&str>> = leases
        .into_iter()
        .filter_map(|lease| Some((names.shard_of(&lease.name_any())?, holder(lease))))
        .collect();
    shards.shards().all(|shard| holders.get(&shard).is_some_and(|holder| *holder != Some(NOBODY)))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use lease_core::LeaderElectionId;

    use super::*;

    #[test]
    fn a_lease_that_is_missing_or_held_by_the_placeholder_may_be_that_of_a_shard_of_a_former_layout() {
        let names = Names::new(LeaderElectionId::new("op.example.com").unwrap(), "example.com");
        let lease = |shard: u16, holder: Option<&str>| {
            let mut lease = Lease::default();
            lease.metadata.name = Some(names.shard(ShardId(shard)).unwrap().to_string());
            lease.spec =
                Some(LeaseSpec { holder_identity: holder.map(str::to_owned), ..LeaseSpec::default() });
            lease
        };
        let is_sure = |leases: &[Lease]| all_are_taken_up(leases, 2.try_into().unwrap(), &names);
        assert!(is_sure(&[lease(0, Some("op-0_1")), lease(1, Some(""))]));
        assert!(is_sure(&[lease(0, Some("op-0_1")), lease(1, None), lease(2, Some(NOBODY))]));
        assert!(!is_sure(&[lease(0, Some("op-0_1"))]));
        assert!(!is_sure(&[lease(0, Some("op-0_1")), lease(1, Some(NOBODY))]));
    }
}
