//! Real Kubernetes API servers and injected network faults, for tests.
//!
//! A test gets a shared API server with [`real`], and a separate one, which it may pause and restart, with [`exclusive`]:
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//! use kube::api::ListParams;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // One control plane for the whole test binary, a namespace for this test.
//! let Some(env) = kube_testkit::real("it needs an API server").await else { return };
//! let maps: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
//! assert!(maps.list(&ListParams::default()).await.unwrap().items.is_empty());
//! # }
//! ```
//!
//! A test that is content with an API server in memory gets it with [`embedded`], on any machine and within milliseconds.
//!
//! `KUBE_TESTKIT_BACKEND` selects the backend, see [`BackendChoice`]. If none is available, the test is
//! skipped with the reason. [`Proxy`] simulates a faulty network in front of the API server, [`GuardedCommand`] starts
//! programs that never outlive the test, and [`WorkloadStandIn`] marks `StatefulSet`s as ready.
//!
//! The crate `overlap-checker` checks the records and logs that such a test collects.

mod access;
pub mod backend;
pub mod binaries;
mod choice;
mod cluster;
mod control_plane;
mod error;
pub mod guard;
mod kinds;
mod options;
mod pki;
mod ports;
mod proxy;
mod real;
mod user;
pub mod versions;
mod wait;
mod workload;

pub use backend::{Backup, ProcessIds};
pub use choice::{BackendChoice, UnknownBackend};
pub use cluster::Cluster;
pub use embedded_apiserver::{OpenApiError, definitions_of_open_api};
pub use error::{OperationError, StartError, tail_of};
pub use guard::{GuardedChild, GuardedCommand, Signal, WorkDir};
pub use kinds::AddKindsError;
pub use options::{ClusterOptions, ExistingOptions};
pub use proxy::Proxy;
pub use real::{RealEnv, embedded, exclusive, real, skip};
pub use user::TestUser;
pub use wait::eventually;
pub use workload::WorkloadStandIn;
