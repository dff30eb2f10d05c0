//! Writes annotations on the coordinator Lease, and knows whether they are there.
//!
//! Two different layouts must never be committed with one generation. If a write of one was not answered, it may still be applied, and another layout must
//! not be committed before that is known.

use lease_core::{LeaseApi, RequestError, Term};

use crate::{
    membership::{
        cluster_view::{ClusterView, version},
        committed::Committed,
    },
    names::Names,
    routing::layout::Layout,
};

pub(super) struct LayoutWriter {
    term: Term,
    names: Names,
    /// Whether a write was not answered.
    uncertain: bool,
    /// The version of the last write that was.
    written: u64,
}

impl LayoutWriter {
    pub(super) fn new(term: Term, names: Names) -> Self {
        Self { term, names, uncertain: false, written: 0 }
    }

    /// The layout was read in this version of the Lease.
    pub(super) fn has_read(&mut self, version: Option<u64>) {
        self.written = self.written.max(version.unwrap_or_default());
    }

    /// Whether it is not known what was written.
    pub(super) fn is_uncertain(&self) -> bool {
        self.uncertain
    }

    /// Writes these annotations. Returns whether they are there.
    pub(super) async fn write(&mut self, annotations: Vec<(String, String)>) -> bool {
        if self.uncertain {
            return false;
        }
        self.put(annotations).await
    }

    async fn put(&mut self, annotations: Vec<(String, String)>) -> bool {
        let keys: Vec<String> = annotations.iter().map(|(key, _)| key.clone()).collect();
        let changes = annotations.into_iter().map(|(key, value)| (key, Some(value))).collect();
        match self.term.annotate(changes).await {
            Ok(revision) => {
                self.written = self.written.max(revision.version.0);
                true
            }
            Err(error) => {
                tracing::warn!(%error, annotations = keys.join(", "), "the coordinator Lease was not annotated; retrying");
                self.uncertain = true;
                false
            }
        }
    }

    /// Finds out what is there after a write was not answered: a later write of this term has to be accepted first, so that the earlier one cannot be
    /// applied any more. `Ok(None)` if the Lease carries no layout.
    pub(super) async fn resolve(&mut self, api: &LeaseApi) -> Result<Option<Layout>, RequestError> {
        let identity = (self.names.coordinator_annotation(), self.term.identity().to_string());
        if !self.put(vec![identity]).await {
            return Err(RequestError::Unknown("the coordinator Lease could not be written".to_owned()));
        }
        let lease = api.get(self.term.lease()).await?;
        self.uncertain = false;
        Ok(match Committed::read(&self.names, lease.as_ref()) {
            Committed::Layout(layout) => Some(layout),
            Committed::Nothing | Committed::Unreadable(_) => None,
        })
    }

    /// Whether somebody else has replaced the layout that was written last. One that this replica does not match is left alone: it refuses.
    pub(super) fn is_overwritten(&self, view: &ClusterView, layout: &Layout) -> bool {
        let is_newer =
            view.coordinator_lease().and_then(version).is_some_and(|version| version > self.written);
        let differs = match &view.committed {
            Committed::Layout(committed) => {
                committed != layout && committed.mismatch(layout).is_none() && is_newer
            }
            // The view may be older than what was written; to write the same again does no harm.
            Committed::Nothing => true,
            Committed::Unreadable(_) => false,
        };
        !self.uncertain && differs
    }
}
