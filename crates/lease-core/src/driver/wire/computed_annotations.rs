//! Annotations that depend on what is on the Lease.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::effect::WriteKind;

type Compute = dyn Fn(WriteKind, &BTreeMap<String, String>) -> BTreeMap<String, String> + Send + Sync;

/// Computes annotations for each write of a Lease; see [`CandidateOptions::compute_annotations`](crate::CandidateOptions::compute_annotations).
#[derive(Clone)]
pub(in crate::driver) struct ComputedAnnotations(Arc<Compute>);

impl ComputedAnnotations {
    pub(in crate::driver) fn by(
        compute: impl Fn(WriteKind, &BTreeMap<String, String>) -> BTreeMap<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(compute))
    }

    /// What to set with a write of this kind, on top of these annotations.
    pub(in crate::driver) fn of(
        &self,
        kind: WriteKind,
        present: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        (self.0)(kind, present)
    }
}

impl fmt::Debug for ComputedAnnotations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ComputedAnnotations")
    }
}
