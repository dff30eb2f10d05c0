//! Real Kubernetes API servers for tests, and the checkers that judge what ran against them.
//!
//! ```no_run
//! # async fn test() {
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::Api;
//!
//! // One control plane for the whole test binary, a namespace for this test.
//! let Some(env) = kube_testkit::real("shows that the API server answers").await else { return };
//! let maps: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
//! assert!(maps.list(&Default::default()).await.is_ok());
//! # }
//! ```

mod access;
pub mod backend;
pub mod binaries;
pub mod checker;
mod cluster;
mod control_plane;
mod error;
pub mod guard;
mod pki;
mod ports;
mod proxy;
mod real;
pub mod records;
mod user;
pub mod versions;
mod wait;
mod workload;

pub use backend::{BackendChoice, ExistingOptions};
pub use cluster::{Cluster, ClusterOptions};
pub use error::{OperationError, StartError};
pub use guard::{GuardedChild, GuardedCommand, Signal, WorkDir};
pub use proxy::Proxy;
pub use real::{RealEnv, exclusive, real};
pub use user::TestUser;
pub use wait::eventually;
pub use workload::WorkloadStandIn;
