//! The driver: the state machine, connected to an API server with kube.
//!
//! Each process creates one [`Elections`]. It owns a thread with its own runtime, a client, and one
//! watch on all Leases of the operator. It creates [`Candidate`]s. Each of them is a task that passes events to an
//! [`Elector`](crate::Elector) and executes its effects. The user's work runs on the user's runtime while the Lease is held, and
//! gets a [`Term`].

mod announce;
mod candidate;
mod clock;
mod commands;
mod connection;
mod elections;
mod environment;
mod gate;
mod guarded;
mod health;
mod invalid_option;
mod lease_api;
mod lease_view;
mod lease_watch;
mod options;
mod request_error;
mod resource_lock;
mod run;
mod runtime;
mod state_dir;
mod task;
mod term;
mod transport;
mod unelected;
mod watchdog;
mod wire;
mod work;
mod writes;

pub use candidate::{Candidate, CandidateStatus};
pub use clock::{Clock, SystemClock};
pub use commands::AnnotateError;
pub use connection::Connection;
pub use elections::{Elections, StartError};
pub use environment::{EnvironmentError, identity_from_env, installation_from_env, namespace_from_env};
pub use gate::{ClientPool, GateClosed, PoolError, REQUEST_LIMIT};
pub use health::{Health, Problem, missing_right};
pub use invalid_option::InvalidOption;
pub use lease_api::LeaseApi;
pub use lease_view::{LeaseView, ShownLease};
pub use options::{CandidateOptions, ElectionsOptions, OnOverrun};
pub use request_error::RequestError;
pub use resource_lock::{RECORD_ANNOTATION, ResourceLock, UnknownResourceLock};
pub use run::{Leader, LeaderTerm, Run, RunError, run};
pub use runtime::LeaseRuntime;
pub use term::Term;
pub use transport::{Tls, Transport, transport};
pub use watchdog::Tracked;
pub use wire::{BadLease, Takeover, TakeoverReason, observed, released_lease, reserved_lease};
pub use work::Work;
pub use writes::AnnouncedWrite;
