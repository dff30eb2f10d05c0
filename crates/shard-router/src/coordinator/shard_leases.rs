//! The coordinator creates the shard Leases that are missing, and deletes those that are left over.

use std::collections::BTreeSet;

use lease_core::{LeaseName, Monotonic, RequestError, Revision, ShownLease, observed};

use super::{
    control_loop::{Again, ControlLoop},
    lease_history,
};
use crate::{layout_change::leases, membership::cluster_view::ClusterView, routing::bucket::ShardId};

impl ControlLoop<'_> {
    /// Creates the shard Leases that are missing.
    pub(super) async fn create_missing(&self, view: &ClusterView) -> Again {
        let existing: BTreeSet<ShardId> = view.holders.keys().copied().collect();
        let current = self.layout.generation();
        let missing: Vec<_> =
            leases::needed(&current, self.wanted).filter(|shard| !existing.contains(shard)).collect();
        for shard in missing {
            let Ok(name) = self.names.shard(shard) else { continue };
            if !self.term.is_valid() {
                return Again::Soon;
            }
            // Only on a first install nobody can hold a shard of another layout.
            let first = current.settled && current.previous.is_none() && self.wanted == current.shards;
            let free = first && self.lease_history.may_create_released(shard, &self.term).await;
            let released = !leases::born_with_placeholder(!free);
            let reservation = self.lease_history.reservation();
            let lease = lease_history::new_lease(&name, released, reservation, self.clock.wall());
            self.lease_history.creating(shard);
            match self.api.create(lease).await {
                Ok(_) => {}
                // It exists, and the view is older. It may be ours, from an attempt that was not answered.
                Err(RequestError::Conflict) => self.lease_history.existed(shard),
                Err(error) => {
                    tracing::warn!(lease = %name, %error, "a shard Lease could not be created; retrying");
                    return Again::Soon;
                }
            }
        }
        Again::No
    }

    /// Deletes the shard Leases that are left over after a change: at once if nobody holds them, or after LeaseDuration. Their holders have acknowledged that
    /// they have no buckets any more, and release them by themselves.
    pub(super) async fn delete_surplus(&mut self, now: Monotonic, shown: &[ShownLease]) -> Again {
        let current = self.layout.generation();
        let is_surplus =
            |shard: &ShardId| leases::may_delete(*shard, &current) && shard.0 >= self.wanted.get();
        let surplus: Vec<&ShownLease> = shown
            .iter()
            .filter(|lease| {
                let shard = lease.metadata.name.as_deref().and_then(|name| self.names.shard_of(name));
                shard.is_some_and(|shard| is_surplus(&shard))
            })
            .collect();
        if surplus.is_empty() {
            self.surplus_since = None;
            return Again::No;
        }
        let since = *self.surplus_since.get_or_insert(now);
        let mut again = Again::No;
        for lease in surplus {
            let Ok(lease) = observed(lease) else { continue };
            let held =
                lease.record.holder.as_ref().is_some_and(|holder| holder.as_str() != lease_core::NOBODY);
            if held && now < since + self.lease_duration {
                again = Again::At(since + self.lease_duration);
            } else if !self.delete(&lease.name, &lease.revision).await {
                return Again::Soon;
            }
        }
        again
    }

    async fn delete(&self, name: &LeaseName, revision: &Revision) -> bool {
        match self.api.delete(name, revision).await {
            Ok(()) => {
                tracing::info!(lease = %name, "deleted the Lease of a shard that the layout no longer has");
            }
            // The watch shows what has changed.
            Err(RequestError::Conflict | RequestError::NotFound) => {}
            Err(error) => {
                tracing::warn!(lease = %name, %error, "the Lease of a shard that the layout no longer has could not be deleted; retrying");
                return false;
            }
        }
        true
    }
}
