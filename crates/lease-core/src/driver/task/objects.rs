//! The Lease objects that belong to the records of the state machine.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;

use super::Task;
use crate::record::ObservedLease;
use crate::revision::Revision;

/// The state machine writes on top of the newest state that it has seen. A few objects are kept, because a late one may arrive in between.
const KEPT: usize = 4;

/// Recently seen objects. An update replaces the whole object, so it needs what others have written into it.
#[derive(Debug, Default)]
pub(super) struct Objects {
    seen: VecDeque<(Revision, Arc<Lease>)>,
}

impl Objects {
    pub(super) fn keep(&mut self, revision: Revision, lease: Arc<Lease>) {
        if self.get(&revision).is_none() {
            self.seen.push_front((revision, lease));
            self.seen.truncate(KEPT);
        }
    }

    pub(super) fn get(&self, revision: &Revision) -> Option<&Arc<Lease>> {
        self.seen.iter().find(|(kept, _)| kept == revision).map(|(_, lease)| lease)
    }
}

impl Task {
    /// The annotations of the state of the Lease that was seen last.
    pub(super) fn present_annotations(&self) -> BTreeMap<String, String> {
        let revision = self.elector.lease().map(|lease| &lease.revision);
        let lease = revision.and_then(|revision| self.objects.get(revision));
        lease.and_then(|lease| lease.metadata.annotations.clone()).unwrap_or_default()
    }

    /// Stores an object, and returns what the state machine needs to know about it.
    pub(super) fn remember(&mut self, lease: &Arc<Lease>) -> Option<ObservedLease> {
        match self.common.election_keys.observed(lease) {
            Ok(observed) => {
                self.has_told_reserve = false;
                self.objects.keep(observed.revision.clone(), Arc::clone(lease));
                Some(observed)
            }
            Err(error) => {
                tracing::error!(lease = %self.lease, "{error}");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::{ResourceVersion, Uid};

    #[test]
    fn the_last_few_are_kept_and_no_more() {
        let revision = |version| Revision { uid: Uid("uid".to_owned()), version: ResourceVersion(version) };
        let mut objects = Objects::default();
        for version in 1..=10 {
            objects.keep(revision(version), Arc::default());
            objects.keep(revision(version), Arc::default());
        }
        let kept: Vec<u64> = (1..=10).filter(|version| objects.get(&revision(*version)).is_some()).collect();
        assert_eq!(kept, [7, 8, 9, 10]);
        assert_eq!(objects.seen.len(), KEPT);
    }
}
