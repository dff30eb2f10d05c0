//! What a shard Lease says its holders have acknowledged: the annotation `<domain>/layout`, which is the layout that its holder works by.

use std::{collections::BTreeMap, sync::Arc};

use lease_core::WriteKind;
use parking_lot::Mutex;

use super::known_layout::KnownLayout;
use crate::{
    layout_change::{Acknowledged, acknowledge, leases},
    names::Names,
    routing::layout::Layout,
};

/// The layout that the annotations of a shard Lease record. `None` if there is none, or none that this version can read: then nothing is acknowledged.
pub(crate) fn recorded(names: &Names, annotations: &BTreeMap<String, String>) -> Option<Layout> {
    serde_json::from_str(annotations.get(&names.layout_annotation())?).ok()
}

/// The number of that layout.
pub(crate) fn acknowledged(layout: Option<&Layout>) -> Acknowledged {
    layout.map_or(leases::NOTHING, |layout| layout.generation)
}

/// What the candidate for one shard Lease writes about the layout.
pub(crate) struct LeaseAcknowledgement {
    names: Names,
    known: Arc<KnownLayout>,
    /// What it has written last, or is about to write.
    written: Mutex<Option<Layout>>,
}

impl LeaseAcknowledgement {
    pub(crate) fn new(names: Names, known: Arc<KnownLayout>) -> Self {
        Self { names, known, written: Mutex::default() }
    }

    /// The annotations of a write on top of those that are present. `history` is how often etcd has been restored.
    ///
    /// A renewal writes what this holder has acknowledged, so that it is restored if somebody removes it.
    pub(crate) fn of_write(
        &self,
        kind: WriteKind,
        present: &BTreeMap<String, String>,
        history: u64,
    ) -> BTreeMap<String, String> {
        let mut written = self.written.lock();
        let known = self.known.layout_in(history);
        match kind {
            WriteKind::Acquire => {
                let before = recorded(&self.names, present);
                *written = acquisition(before, known.as_deref());
            }
            WriteKind::Release => {
                let released = written.as_ref().zip(known.as_deref()).filter(|(written, known)| {
                    acknowledge::by_release(written.generation, &known.generation()) != written.generation
                });
                if let Some((_, known)) = released {
                    *written = Some(known.clone());
                }
            }
            WriteKind::Renew => {}
            WriteKind::Reserve | WriteKind::Delete => return BTreeMap::new(),
        }
        written.iter().map(|layout| self.names.annotation_of_layout(layout)).collect()
    }

    /// From now on, renewals say that this layout is acknowledged.
    pub(crate) fn set(&self, layout: &Layout) {
        *self.written.lock() = Some(layout.clone());
    }

    /// The layout that the Lease carried when a term began.
    pub(crate) fn at_acquisition(&self, annotations: &BTreeMap<String, String>) -> Option<Layout> {
        recorded(&self.names, annotations)
    }
}

/// What an acquisition writes: the later of what is there and what is known. Of two that are equal, the known one, which says whether it is settled.
fn acquisition(before: Option<Layout>, known: Option<&Layout>) -> Option<Layout> {
    let Some(known) = known else { return before };
    let number = leases::acknowledged_by_acquisition(acknowledged(before.as_ref()), &known.generation());
    if number == known.generation { Some(known.clone()) } else { before }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::Lease;
    use lease_core::LeaderElectionId;

    use super::*;

    fn layout(generation: u64) -> Layout {
        Layout { generation, ..Layout::first(4.try_into().unwrap(), None) }
    }

    fn written(acknowledgement: &LeaseAcknowledgement, kind: WriteKind, present: &[Layout]) -> Option<u64> {
        let names = &acknowledgement.names;
        let present = present.iter().map(|layout| names.annotation_of_layout(layout)).collect();
        let annotations = acknowledgement.of_write(kind, &present, 0);
        recorded(names, &annotations).map(|layout| layout.generation)
    }

    #[test]
    fn each_write_says_what_is_acknowledged() {
        let names = Names::new(LeaderElectionId::new("op.example.com").unwrap(), "example.com");
        let known = Arc::new(KnownLayout::default());
        let acknowledgement = LeaseAcknowledgement::new(names, known.clone());
        assert_eq!(written(&acknowledgement, WriteKind::Acquire, &[layout(3)]), Some(3), "nothing is known");
        let lease = |version: u64| {
            let mut lease = Lease::default();
            lease.metadata.resource_version = Some(version.to_string());
            lease
        };
        known.committed(&lease(1), &layout(2));
        assert_eq!(written(&acknowledgement, WriteKind::Acquire, &[]), Some(2));
        assert_eq!(written(&acknowledgement, WriteKind::Acquire, &[layout(3)]), Some(3));
        assert_eq!(written(&acknowledgement, WriteKind::Acquire, &[layout(1)]), Some(2));
        known.committed(&lease(2), &layout(3));
        assert_eq!(written(&acknowledgement, WriteKind::Renew, &[]), Some(2), "it is not acknowledged yet");
        assert_eq!(written(&acknowledgement, WriteKind::Release, &[]), Some(2));
        acknowledgement.set(&layout(3));
        assert_eq!(written(&acknowledgement, WriteKind::Renew, &[layout(2)]), Some(3));
    }
}
