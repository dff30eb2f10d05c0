//! The coordinator changes the number of shards, by the rules of [`layout_change`](crate::layout_change).

use std::time::Duration;

use lease_core::{Monotonic, RequestError, ShownLease};

use super::control_loop::{Again, ControlLoop};
use crate::{
    layout_change::{Generation, ShardLeases, commit, recovery},
    membership::cluster_view::{ClusterView, shard_leases},
    routing::plan::Plan,
};

impl ControlLoop<'_> {
    /// Takes the next step of a change, if one is wanted or under way.
    pub(super) async fn change_layout(
        &mut self,
        now: Monotonic,
        view: &ClusterView,
        leases: &[ShownLease],
        published: &mut Option<Plan>,
    ) -> Again {
        if self.writer.is_uncertain() {
            return self.resolve().await;
        }
        let current = self.layout.generation();
        let Some((next, why)) = self.next_generation(&current, &view.shard_leases) else { return Again::No };
        if next.number > current.number
            && let Some(at) = free_from(&next, leases)
            && now < at
        {
            return Again::At(at);
        }
        // The view may be old. The list is not.
        let listed = match self.api.list().await {
            Ok(listed) => shard_leases(&self.names, &listed),
            Err(error) => {
                tracing::warn!(%error, "the Leases could not be listed to change the layout; retrying");
                return Again::Soon;
            }
        };
        if self.next_generation(&current, &listed).is_none_or(|(confirmed, _)| confirmed != next) {
            return Again::Soon;
        }
        let layout = self.layout.in_generation(next);
        let (_, plan) = Self::next_plan(&layout, view, published.as_ref());
        let again = self.commit(layout, Some(&plan)).await;
        if again == Again::No {
            tracing::info!(shards = %next.shards, "{why}: layout generation {}", next.number);
            *published = Some(plan);
        }
        again
    }

    /// What to commit by these shard Leases, if anything.
    fn next_generation(
        &self,
        current: &Generation,
        leases: &ShardLeases,
    ) -> Option<(Generation, &'static str)> {
        if recovery::is_needed(Some(current), leases) {
            let recovered = recovery::recovered(self.wanted, leases, self.term.token().0.max(current.number));
            return Some((recovered, "shard Leases have acknowledged a later layout; committed a new one"));
        }
        if !current.settled && commit::is_settled(current, leases) {
            return Some((
                Generation { settled: true, ..*current },
                "all shards have acknowledged the layout",
            ));
        }
        let may = commit::may_commit(current, self.wanted, leases);
        may.then(|| (commit::next(current, self.wanted), "committed another number of shards"))
    }

    /// After a write without an answer.
    async fn resolve(&mut self) -> Again {
        match self.writer.resolve(&self.api).await {
            Ok(Some(layout)) if self.layout.mismatch(&layout).is_none() => self.layout = layout,
            // Somebody has removed or edited it meanwhile, and it is restored.
            Ok(_) => {}
            Err(error) => {
                if !matches!(error, RequestError::Unknown(_)) {
                    tracing::warn!(%error, "it is not known whether the layout was committed; retrying");
                }
                return Again::Soon;
            }
        }
        Again::Soon
    }
}

/// From when on the Leases that are new in this generation can be acquired: their placeholders have to expire, so that no bucket waits for them.
fn free_from(next: &Generation, leases: &[ShownLease]) -> Option<Monotonic> {
    let of = |shown: &ShownLease| {
        let spec = shown.lease.spec.as_ref()?;
        let reserved = spec.holder_identity.as_deref() == Some(lease_core::NOBODY);
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        reserved.then(|| shown.shown_at + Duration::from_secs(seconds.unwrap_or_default()))
    };
    next.previous?;
    leases.iter().filter_map(of).max()
}
