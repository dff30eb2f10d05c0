//! Real Kubernetes API servers for tests, with faults on demand.
//!
//! A test asks for an API server with [`real`], and for one of its own, to pause and restart, with [`exclusive`]:
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//! use kube::api::ListParams;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! // One control plane for the whole test binary, a namespace for this test.
//! let Some(env) = kube_testkit::real("it lists what is not there").await else { return };
//! let maps: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
//! assert!(maps.list(&ListParams::default()).await.unwrap().items.is_empty());
//! # }
//! ```
//!
//! Which backend serves it is chosen by `KUBE_TESTKIT_BACKEND`, see [`BackendChoice`]; where none is possible the test is
//! skipped with the reason. [`Proxy`] puts a faulty network in front of the API server, [`GuardedCommand`] starts
//! programs that never outlive the test, [`WorkloadStandIn`] makes `StatefulSet`s ready.
//!
//! The crate `overlap-checker` judges the records and logs that such a test collects.

mod access;
pub mod backend;
pub mod binaries;
mod choice;
mod cluster;
mod control_plane;
mod error;
pub mod guard;
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
pub use error::{OperationError, StartError, tail_of};
pub use guard::{GuardedChild, GuardedCommand, Signal, WorkDir};
pub use options::{ClusterOptions, ExistingOptions};
pub use proxy::Proxy;
pub use real::{RealEnv, exclusive, real, skip};
pub use user::TestUser;
pub use wait::eventually;
pub use workload::WorkloadStandIn;
