//! The settings of one election.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use crate::config::{Creation, ReleaseStyle};
#[cfg(doc)]
use crate::driver::invalid_option::InvalidOption;
use crate::driver::wire::LeaseMetadata;

/// Settings of one election.
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
/// What the API server would refuse is refused by [`Elections::candidate`](crate::Elections::candidate), see [`InvalidOption`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CandidateOptions {
    /// What to do where there is no Lease. Default: wait LeaseDuration, then create it.
    pub creation: Creation,
    /// How long to leave a free Lease to others before taking it. Default: not at all.
    pub acquire_delay: Duration,
    /// How long running work may take to finish when asked to. Default 30 s.
    pub drain_timeout: Duration,
    /// Whether to contend from the start. Default true.
    pub contend: bool,
    /// Whether to leave events on the Lease ("… became leader", "… stopped leading"). Default true.
    pub announce: bool,
    /// Delete the Lease where others would release it. Default false.
    pub delete_on_release: bool,
    /// Put on the Lease with each write, so that it is collected with its owner.
    pub owner: Option<OwnerReference>,
    /// Put on the Lease with each write.
    pub labels: BTreeMap<String, String>,
    /// Put on the Lease with each write.
    pub annotations: BTreeMap<String, String>,
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
        }
    }
}

impl CandidateOptions {
    /// What to do where there is no Lease. Default: [`Creation::AfterWaiting`].
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// How long to leave a free Lease to others before taking it. Default: not at all.
    #[must_use]
    pub fn acquire_delay(mut self, delay: Duration) -> Self {
        self.acquire_delay = delay;
        self
    }

    /// How long running work may take to finish when it is asked to, before it is aborted. Default: 30 s.
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

    pub(in crate::driver) fn into_metadata(self) -> LeaseMetadata {
        LeaseMetadata { owner: self.owner, labels: self.labels, annotations: self.annotations }
    }

    pub(in crate::driver) fn release_style(&self, release_on_cancel: bool) -> ReleaseStyle {
        match (self.delete_on_release, release_on_cancel) {
            (true, _) => ReleaseStyle::Delete,
            (false, true) => ReleaseStyle::Vacate,
            (false, false) => ReleaseStyle::LetExpire,
        }
    }
}
