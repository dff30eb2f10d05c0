//! Where the demo's API server comes from.

use clap::ValueEnum;
use kube_testkit::{BackendChoice, Cluster, ClusterOptions, StartError};

/// An API server by the name that `--cluster` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClusterKind {
    /// In memory, within the demo: needs nothing, and asks nobody who they are
    Embedded,
    /// etcd and kube-apiserver as processes, from `KUBEBUILDER_ASSETS` or built with Go once
    Local,
    /// etcd and kube-apiserver in docker, from their official images
    Docker,
    /// The current context of the kubeconfig, if `KUBE_TESTKIT_ALLOW_CONTEXT` names it
    Existing,
}

impl ClusterKind {
    /// Starts it, or connects to it, and waits until it is ready.
    pub(super) async fn start(self) -> Result<Cluster, StartError> {
        let backend = Some(match self {
            Self::Embedded => BackendChoice::Embedded,
            Self::Local => BackendChoice::Local,
            Self::Docker => BackendChoice::Testcontainers,
            Self::Existing => BackendChoice::Existing,
        });
        Cluster::start(ClusterOptions { backend, garbage_collection: true, ..ClusterOptions::default() })
            .await
    }

    /// What it is, for people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Embedded => "an API server in memory",
            Self::Local => "etcd and kube-apiserver as processes",
            Self::Docker => "etcd and kube-apiserver in docker",
            Self::Existing => "the cluster of your kubeconfig",
        }
    }

    /// Whether it asks its clients who they are, and what they may do.
    pub(super) fn has_access_control(self) -> bool {
        self != Self::Embedded
    }

    /// Whether it was there before, and what runs in it is somebody else's.
    pub(super) fn is_borrowed(self) -> bool {
        self == Self::Existing
    }

    /// The name that `--cluster` takes.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Existing => "existing",
        }
    }
}
