//! An API server in memory, for simulations and for trying things out: no process, no port, no clock but the one it is given.
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
//! [`Machine`] is the server without a network: a request in, an answer out, and for watches the events that follow.
//! [`EmbeddedServer`] makes it a `tower` service, and with it a `kube::Client`; faults belong into layers around that
//! service. [`EmbeddedServer::listen`] serves plain HTTP, for `kubectl`.
//!
//! # What it does
//!
//! It behaves as kube-apiserver 1.37 does, without controllers, for Namespaces, `ConfigMaps`, Events (of both groups),
//! Services, `StatefulSets`, `PodDisruptionBudgets`, Leases, `CustomResourceDefinitions` and the custom resources that these
//! define: get, list (selectors, pages, older states), watch (initial events, bookmarks, selectors that objects enter and
//! leave, 410 Gone), create, update, delete, JSON, merge and strategic merge patch, server-side apply with ownership and
//! conflicts, the status and scale subresources, preconditions, dry runs, finalizers; of custom resources pruning, defaults,
//! validation and CEL rules. The conformance suite (`tests/conformance.rs`) runs the same cases here and on the real
//! server.
//!
//! Every request is counted by its [`Shape`], and [`conformance_shapes`] are those that the suite compares: what is seen
//! beyond them rests on nobody's word.
//!
//! # What it does not
//!
//! - There is no authentication or authorization; everybody may do everything, and the
//!   [audit log](EmbeddedServer::with_audit_log) knows a writer by its User-Agent alone. Admission is up to whoever makes the
//!   server ([`Machine::admit_by`]); no policy or webhook that is kept as an object decides anything.
//! - Built-in objects are read by the real types, but of their validation only what `kinds` lists is checked: an object that
//!   the real server finds invalid may be accepted.
//! - Garbage collection and the end of namespaces happen only [on demand](EmbeddedServer::with_garbage_collection).
//! - Bodies are read as JSON. Of protobuf, only what `kubectl create namespace` and `kubectl create configmap` send is read.
//! - What it does not know answers 501 with the reason `NotSupportedByEmbeddedServer`: other built-in resources, and with them
//!   access and token reviews; of Pods their deletion, logs, exec, attach, port-forward, eviction, ephemeral containers and
//!   resize; further subresources; definitions with several versions; OpenAPI v2 in JSON. Of all that kube and kube-runtime ask, these
//!   are the only requests that it refuses (`tests/embedded/kube_calls.rs`).
//! - A JSON patch that copies from where nothing is fails, where the real server writes an empty value.

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
pub use seams::{Seams, WallSeams};
pub use server::{AnswerBody, EmbeddedServer, EmbeddedService};
pub use shape::{Shape, conformance_shapes, shape};
pub use store::Revision;
