//! The options of one candidate.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::config::{Creation, ReleaseStyle};
#[cfg(doc)]
use crate::driver::invalid_option::InvalidOption;
use crate::driver::wire::{ComputedAnnotations, LeaseMetadata};
use crate::effect::WriteKind;

/// The options of one candidate.
///
/// ```
/// use std::time::Duration;
///
/// use lease_core::CandidateOptions;
///
/// let options = CandidateOptions::default().drain_timeout(Duration::from_secs(10)).label("team", "storage");
/// assert!(options.contend);
/// ```
///
/// [`Elections::candidate`](crate::Elections::candidate) refuses options that the API server would refuse, see [`InvalidOption`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CandidateOptions {
    /// What to do if the Lease does not exist. Default: [`Creation::AfterWaiting`].
    pub creation: Creation,
    /// How long to leave a free Lease to other candidates before taking it. Default: zero.
    pub acquire_delay: Duration,
    /// How long the work may take to finish after it was asked to; then it is aborted. Default: 30 s.
    pub drain_timeout: Duration,
    /// Whether to contend from the start. Default: true.
    pub contend: bool,
    /// Whether to write events about the Lease ("… became leader", "… stopped leading"). Default: true.
    pub announce: bool,
    /// Whether to delete the Lease instead of releasing it. Default: false.
    pub delete_on_release: bool,
    /// The owner of the Lease, which is set with each write, so that the Lease is garbage-collected with its owner. Default: none.
    pub owner: Option<OwnerReference>,
    /// Labels that are set on the Lease with each write.
    pub labels: BTreeMap<String, String>,
    /// Annotations that are set on the Lease with each write.
    pub annotations: BTreeMap<String, String>,
    /// Annotations that depend on what is on the Lease.
    pub(in crate::driver) computed: Option<ComputedAnnotations>,
}

impl Default for CandidateOptions {
    fn default() -> Self {
        Self {
            creation: Creation::AfterWaiting,
            acquire_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            contend: true,
            announce: true,
            delete_on_release: false,
            owner: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            computed: None,
        }
    }
}

impl CandidateOptions {
    /// What to do if the Lease does not exist. Default: [`Creation::AfterWaiting`].
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// How long to leave a free Lease to other candidates before taking it. Default: zero.
    #[must_use]
    pub fn acquire_delay(mut self, delay: Duration) -> Self {
        self.acquire_delay = delay;
        self
    }

    /// How long the work may take to finish after it was asked to; then it is aborted. Default: 30 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Whether to contend from the start. Default: yes.
    #[must_use]
    pub fn contend(mut self, contend: bool) -> Self {
        self.contend = contend;
        self
    }

    /// Whether to leave events on the Lease ("… became leader", "… stopped leading"). Default: yes.
    #[must_use]
    pub fn announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }

    /// Delete the Lease where others would release it. Default: no.
    #[must_use]
    pub fn delete_on_release(mut self, delete: bool) -> Self {
        self.delete_on_release = delete;
        self
    }

    /// Whose Lease it is, so that it is collected with its owner. [`InvalidOption::Owner`] later if the reference is not complete.
    #[must_use]
    pub fn owner(mut self, owner: Option<OwnerReference>) -> Self {
        self.owner = owner;
        self
    }

    /// Puts a label on the Lease with each write. [`InvalidOption::Metadata`] later if the API server would refuse it, or if the key is
    /// one of this crate's own.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Puts an annotation on the Lease with each write. [`InvalidOption::Metadata`] later if the API server would refuse it, or if the
    /// key is one of this crate's own.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Computes annotations that are set with each write of the Lease, from the purpose of the write and the annotations of the state that it replaces. If the Lease
    /// changes meanwhile, the write is refused, and the next one is computed anew. What an acquisition has written is in
    /// [`Term::acquired_annotations`](crate::Term::acquired_annotations).
    ///
    /// The function is called on the thread for Lease traffic and must not block. Its result is not checked before it is sent: keys and values have
    /// to be valid, and small.
    #[must_use]
    pub fn compute_annotations(
        mut self,
        compute: impl Fn(WriteKind, &BTreeMap<String, String>) -> BTreeMap<String, String> + Send + Sync + 'static,
    ) -> Self {
        self.computed = Some(ComputedAnnotations::by(compute));
        self
    }

    pub(in crate::driver) fn into_metadata(self) -> LeaseMetadata {
        let Self { owner, labels, annotations, computed, .. } = self;
        LeaseMetadata { owner, labels, annotations, computed }
    }

    pub(in crate::driver) fn release_style(&self, release_on_cancel: bool) -> ReleaseStyle {
        match (self.delete_on_release, release_on_cancel) {
            (true, _) => ReleaseStyle::Delete,
            (false, true) => ReleaseStyle::Vacate,
            (false, false) => ReleaseStyle::LetExpire,
        }
    }
}
