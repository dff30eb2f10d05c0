//! A Kubernetes API server in memory, for tests and simulations. It needs no process and no port, and its only clock is the one that it is given.
//!
//! ```
//! use k8s_openapi::api::core::v1::ConfigMap;
//! use kube::api::{Api, ListParams};
//! use embedded_apiserver::{EmbeddedServer, WallSeams};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let server = EmbeddedServer::new(WallSeams::new(7));
//! let maps: Api<ConfigMap> = Api::namespaced(server.client("default"), "default");
//! assert!(maps.list(&ListParams::default()).await.unwrap().items.is_empty());
//! # }
//! ```
//!
//! [`Machine`] is the server without a network: a request in, a response out, and for watches the events that follow.
//! [`EmbeddedServer`] wraps it as a `tower` service, from which it creates a `kube::Client`. To inject faults, add layers around that
//! service. [`EmbeddedServer::listen`] serves plain HTTP, for `kubectl`.
//!
//! # What is supported
//!
//! It behaves as kube-apiserver 1.37 does, without controllers, for Namespaces, `ConfigMaps`, Secrets, `ServiceAccounts`, Events (of
//! both groups), Pods, Services, Deployments, `ReplicaSets`, `DaemonSets`, `StatefulSets`, Jobs, `CronJobs`, `PodDisruptionBudgets`, Ingresses,
//! `NetworkPolicies`, Roles, `RoleBindings` and those for the cluster, Leases, `CustomResourceDefinitions` and the custom resources that these
//! define: get, list (selectors, pages, older states), watch (initial events, bookmarks, selectors that objects enter and
//! leave, 410 Gone), create, update, delete, JSON, merge and strategic merge patch, server-side apply with ownership and
//! conflicts, the status and scale subresources, preconditions, dry runs, finalizers; for custom resources also pruning, defaults,
//! validation and CEL rules. The conformance suite (`tests/conformance.rs`) runs the same cases here and on a real
//! server.
//!
//! A kind is added by its definition. If nobody has that, [`definitions_of_open_api`] makes one of what a cluster publishes of it.
//!
//! Every request is counted by its [`Shape`]. [`conformance_shapes`] are those that the suite compares with a real server; for other shapes
//! nothing is guaranteed.
//!
//! # What is not supported
//!
//! - There is no authentication or authorization: every client may do everything, and the
//!   [audit log](EmbeddedServer::with_audit_log) identifies a writer by its User-Agent alone. Admission can be implemented by a
//!   function ([`Machine::admit_by`]); policies and webhooks that are stored as objects have no effect.
//! - Built-in objects are decoded with the real types, but only the validation that `kinds` lists is implemented. An object that
//!   a real server refuses as invalid may be accepted.
//! - Garbage collection and the termination of namespaces happen only [on demand](EmbeddedServer::with_garbage_collection).
//! - Bodies must be JSON, except for the protobuf bodies of `kubectl create namespace` and `kubectl create configmap`.
//! - Requests that are not supported are answered with 501 and the reason `NotSupportedByEmbeddedServer`: other built-in resources, including
//!   access and token reviews; the deletion, logs, exec, attach, port-forward, eviction, ephemeral containers and
//!   resize of Pods; further subresources; CRDs with several versions; OpenAPI v2 in JSON. Of all requests that kube and kube-runtime can send, these
//!   are the only ones that are refused (`tests/embedded/kube_calls.rs`).
//! - A JSON patch that copies from a missing path fails; a real server writes an empty value.

mod admission;
mod answer;
mod audit;
mod catalogue;
mod cel;
mod collector;
mod discovery;
mod fault;
mod http_port;
mod kinds;
mod machine;
mod open_api;
mod operations;
mod ownership;
mod present;
mod protobuf;
mod refusal;
mod request;
mod resource;
mod schema;
mod seams;
mod selector;
mod server;
mod shape;
mod store;
mod strategic;
mod uncompared;

pub use admission::{AdmissionRequest, Operation};
pub use answer::Answer;
pub use http_port::HttpPort;
pub use machine::{Machine, Reply, Watch};
pub use open_api::{OpenApiError, definitions_of_open_api};
pub use seams::{Seams, WallSeams};
pub use server::{AnswerBody, EmbeddedServer, EmbeddedService};
pub use shape::{Shape, conformance_shapes, shape};
pub use store::Revision;
