//! What this replica knows of the committed layout and of the shard Leases, for everything that follows a change.

use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::sync::watch;

use crate::{
    layout_change::{Generation, ShardLeases},
    routing::layout::Layout,
    rules,
};

/// The newest committed layout that this replica has seen, by its watch or by a read, and what the shard Leases have acknowledged.
#[derive(Debug)]
pub(crate) struct KnownLayout(watch::Sender<LayoutState>);

/// One state of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LayoutState {
    /// How often etcd had been restored from a backup.
    history: u64,
    /// The uid and the resourceVersion of the coordinator Lease: a watch may show an older state than a read has.
    revision: (String, u64),
    /// The committed layout; `None` before one has been seen.
    pub(crate) layout: Option<Arc<Layout>>,
    /// The shard Leases.
    pub(crate) leases: Arc<ShardLeases>,
}

impl LayoutState {
    pub(crate) fn generation(&self) -> Option<Generation> {
        self.layout.as_ref().map(|layout| layout.generation())
    }
}

impl Default for KnownLayout {
    fn default() -> Self {
        Self(watch::Sender::new(LayoutState::default()))
    }
}

impl KnownLayout {
    /// Takes in a layout that this coordinator Lease carries.
    pub(crate) fn committed(&self, coordinator: &Lease, layout: &Layout) {
        let Some(version) = version(coordinator) else { return };
        let uid = coordinator.metadata.uid.clone().unwrap_or_default();
        self.0.send_if_modified(|state| {
            if let Some(known) = &state.layout {
                let same_lease = state.revision.0 == uid;
                if version <= state.revision.1 || same_lease && !follows(layout, known) {
                    return false;
                }
            }
            state.revision = (uid, version);
            let changed = state.layout.as_deref() != Some(layout);
            if changed {
                state.layout = Some(Arc::new(layout.clone()));
            }
            changed
        });
    }

    /// The layout is this, and is not committed by anyone.
    pub(crate) fn fixed(&self, layout: &Layout) {
        self.0.send_modify(|state| state.layout = Some(Arc::new(layout.clone())));
    }

    /// Takes in the shard Leases.
    pub(crate) fn shown(&self, leases: &ShardLeases) {
        self.0.send_if_modified(|state| {
            let changed = *state.leases != *leases;
            if changed {
                state.leases = Arc::new(leases.clone());
            }
            changed
        });
    }

    /// Forgets everything, if etcd has been restored from a backup since: the versions then mean other states.
    pub(crate) fn restored(&self, history: u64) {
        self.0.send_if_modified(|state| {
            let changed = state.history != history;
            if changed {
                *state = LayoutState { history, ..LayoutState::default() };
            }
            changed
        });
    }

    /// The layout as known in this history of etcd.
    pub(crate) fn layout_in(&self, history: u64) -> Option<Arc<Layout>> {
        let state = self.0.borrow();
        state.layout.clone().filter(|_| state.history == history)
    }

    /// The layout.
    pub(crate) fn layout(&self) -> Option<Arc<Layout>> {
        self.0.borrow().layout.clone()
    }

    /// Resolves when this generation, or a later one, is known. A coordinator that has just committed a layout may still know an earlier one, which was settled.
    pub(crate) async fn reached(&self, generation: u64) {
        let reached =
            |state: &LayoutState| state.layout.as_ref().is_some_and(|layout| layout.generation >= generation);
        // The sender is `self`.
        let _ = self.subscribe().wait_for(reached).await;
    }

    /// Resolves when resources may be stamped by the layout that is known then.
    pub(crate) async fn may_stamp(&self) {
        let may = |state: &LayoutState| {
            state.generation().is_some_and(|known| rules::may_stamp(known.is_known_to_all()))
        };
        // The sender is `self`.
        let _ = self.subscribe().wait_for(may).await;
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<LayoutState> {
        self.0.subscribe()
    }
}

/// Whether a coordinator can have written this layout over the other. What somebody edits by hand is not followed: holders would take buckets from each other without
/// waiting. The coordinator restores its own layout.
fn follows(layout: &Layout, known: &Layout) -> bool {
    let generation = |layout: &Layout| Generation { settled: false, ..layout.generation() };
    let settles = layout.settled || !known.settled;
    layout.generation > known.generation || generation(layout) == generation(known) && settles
}

/// The resourceVersion of a Lease.
fn version(lease: &Lease) -> Option<u64> {
    lease.metadata.resource_version.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(generation: u64) -> Layout {
        Layout { generation, ..Layout::first(4.try_into().unwrap(), None) }
    }

    fn lease(uid: &str, version: u64) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.uid = Some(uid.to_owned());
        lease.metadata.resource_version = Some(version.to_string());
        lease
    }

    fn generation(known: &KnownLayout) -> Option<u64> {
        known.layout().map(|layout| layout.generation)
    }

    #[test]
    fn an_older_state_does_not_replace_a_newer_one() {
        let known = KnownLayout::default();
        known.committed(&lease("a", 7), &layout(2));
        known.committed(&lease("a", 5), &layout(1));
        assert_eq!(generation(&known), Some(2));
        known.committed(&lease("b", 6), &layout(1));
        assert_eq!(generation(&known), Some(2));
        known.restored(1);
        assert_eq!(generation(&known), None);
        known.committed(&lease("a", 5), &layout(1));
        assert_eq!(generation(&known), Some(1));
        assert!(known.layout_in(0).is_none() && known.layout_in(1).is_some());
        known.committed(&lease("b", 6), &layout(1));
        assert_eq!(generation(&known), Some(1));
    }

    #[test]
    fn what_no_coordinator_can_have_written_is_not_followed() {
        let known = KnownLayout::default();
        let changing = Layout { settled: false, ..layout(2) };
        known.committed(&lease("a", 1), &changing);
        let edited = Layout { shards: 8.try_into().unwrap(), ..layout(2) };
        for (version, hand) in [(2, edited.clone()), (3, layout(1))] {
            known.committed(&lease("a", version), &hand);
            assert_eq!(known.layout().as_deref(), Some(&changing));
        }
        known.committed(&lease("a", 4), &layout(2));
        assert_eq!(known.layout().as_deref(), Some(&layout(2)));
        known.committed(&lease("a", 5), &changing);
        assert_eq!(known.layout().as_deref(), Some(&layout(2)));
        known.committed(&lease("b", 6), &edited);
        assert_eq!(known.layout().as_deref(), Some(&edited), "another Lease has another history");
    }

    #[test]
    fn what_was_known_before_a_commit_does_not_count_after_it() {
        use futures::FutureExt as _;

        let known = KnownLayout::default();
        known.committed(&lease("a", 1), &layout(1));
        assert!(known.reached(1).now_or_never().is_some() && known.may_stamp().now_or_never().is_some());
        assert!(known.reached(7).now_or_never().is_none());
        let replaced = Layout { settled: false, found: Some(4), ..layout(7) };
        known.committed(&lease("a", 7), &replaced);
        assert!(known.reached(7).now_or_never().is_some() && known.may_stamp().now_or_never().is_none());
        known.committed(&lease("a", 8), &Layout { settled: true, ..replaced });
        assert!(known.may_stamp().now_or_never().is_some());
    }

    #[test]
    fn only_changes_are_news() {
        let known = KnownLayout::default();
        let mut news = known.subscribe();
        known.committed(&lease("a", 7), &layout(1));
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        known.committed(&lease("a", 8), &layout(1));
        known.shown(&ShardLeases::new());
        assert!(!news.has_changed().unwrap(), "a renewal of the coordinator Lease is none");
    }
}
