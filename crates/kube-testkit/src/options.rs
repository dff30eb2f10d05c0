//! What to start.

use std::path::PathBuf;
use std::time::Duration;

use crate::choice::BackendChoice;

/// Options for the control plane.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Which backend; by default the one that `KUBE_TESTKIT_BACKEND` names, else [`BackendChoice::Auto`].
    pub backend: Option<BackendChoice>,
    /// Whether the API server writes an audit log of all writes.
    pub audit: bool,
    /// Whether that log has reads and watches as well, to count them by. Ignored by `embedded` and `existing`.
    pub audit_reads: bool,
    /// Whether `embedded` also does what a controller-manager does elsewhere: delete what has lost its owners, and bring
    /// deleted namespaces to their end. Ignored by the others.
    pub garbage_collection: bool,
    /// More arguments for `kube-apiserver`, after those given to it anyway. Ignored by `existing`.
    pub api_server_args: Vec<String>,
    /// Which cluster `existing` connects to.
    pub existing: ExistingOptions,
    /// How long the API server may take to become ready, after its programs were found.
    pub ready_within: Duration,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            backend: None,
            audit: true,
            audit_reads: false,
            garbage_collection: false,
            api_server_args: Vec::new(),
            existing: ExistingOptions::default(),
            ready_within: Duration::from_secs(90),
        }
    }
}

impl ClusterOptions {
    /// An API server in memory, whatever `KUBE_TESTKIT_BACKEND` says, with garbage collection.
    pub fn embedded() -> Self {
        Self { backend: Some(BackendChoice::Embedded), garbage_collection: true, ..Self::default() }
    }
}

/// Which existing cluster to use. Fields that are not set are taken from the environment.
#[derive(Debug, Clone, Default)]
pub struct ExistingOptions {
    /// The kubeconfig; else what `KUBECONFIG` names, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The context; else what `KUBE_TESTKIT_CONTEXT` names, else the kubeconfig's current one.
    pub context: Option<String>,
    /// The name of the context that is released for tests; else what `KUBE_TESTKIT_ALLOW_CONTEXT` names. Any other is
    /// refused.
    pub allow_context: Option<String>,
}
