//! Every version this crate builds or pulls, in one place.

/// The Kubernetes release of `kube-apiserver` and `kubectl`.
pub const KUBERNETES: &str = "v1.37.2";

/// The version of Kubernetes' staging modules (`k8s.io/api`, …) that belongs to [`KUBERNETES`].
pub const KUBERNETES_STAGING: &str = "v0.37.2";

/// The etcd release, as a Go module version.
pub const ETCD: &str = "v3.7.0";

/// The image of the `testcontainers` backend's API server; `KUBE_TESTKIT_APISERVER_IMAGE` overrides it.
pub const APISERVER_IMAGE: &str = "registry.k8s.io/kube-apiserver:v1.37.2";

/// The image of the `testcontainers` backend's etcd; `KUBE_TESTKIT_ETCD_IMAGE` overrides it.
pub const ETCD_IMAGE: &str = "registry.k8s.io/etcd:3.7.0-0";
