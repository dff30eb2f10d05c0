//! Leader election on `coordination.k8s.io/v1` Leases, for operators in which two replicas must never act at the same time.
//!
//! Several replicas contend for one Lease; the one that holds it is the leader. The crate has two parts:
//!
//! - a **pure state machine** ([`Elector`]). It does no I/O, reads no clock and draws no random number. Its input is events and
//!   the current time, its output is effects and the next deadline. It contains every rule of the protocol, so the rules
//!   can be tested under any schedule. It needs neither tokio nor kube (`default-features = false`).
//! - a **driver** (feature `kube`, on by default). It turns effects into requests and watches all Leases of an
//!   operator with one watch. It runs on its own thread, so that a busy reconciler cannot delay a renewal.
//!
//! # Leader election for a whole program
//!
//! ```no_run
//! # #[cfg(feature = "kube")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = kube::Config::infer().await?;
//! lease_core::run(config, "backup.example.com", |term| async move {
//!     println!("{} leads, and writes with {:?}", term.identity(), term.client().default_namespace());
//!     term.draining().await; // finish when asked to; the Lease is released afterwards
//! })
//! .await?; // until a signal
//! # Ok(())
//! # }
//! ```
//!
//! [`run`] handles signals, and serves health and metrics if it is asked to. It is made of the following.
//!
//! # Run a future only on the leader
//!
//! ```no_run
//! # #[cfg(feature = "kube")]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use lease_core::{ClientPool, Elections, ElectionsOptions, LeaderElectionId};
//!
//! let config = kube::Config::infer().await?;
//! let pool = ClientPool::new(config.clone(), "backup-operator/1.0")?;
//! let options = ElectionsOptions::from_env(LeaderElectionId::new("backup.example.com")?)?;
//! let elections = Elections::start(config, options).await?;
//! let leader = elections.lead(move |term| {
//!     let client = term.client(&pool); // refuses to send once the term is over
//!     async move {
//!         println!("{} leads with fencing token {}", term.identity(), term.token());
//!         let _work_with = client;
//!         term.draining().await; // finish when asked to; the Lease is released afterwards
//!     }
//! });
//! # tokio::signal::ctrl_c().await?;
//! leader.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What runs where
//!
//! | what | how |
//! | --- | --- |
//! | only on the leader | [`Elections::lead`], or [`Elections::candidate`] for a Lease with another name |
//! | on every replica (controller-runtime's RunNonLeaderElected), such as `/metrics` | spawn it; this crate never stops it |
//! | once per operator, in addition to sharded work | a candidate for the Lease without a suffix, which is the coordinator's |
//! | on the only replica | [`ElectionsOptions::leader_election`] off: it is the leader at once, without a Lease |
//!
//! The loss of the Lease ends the [`Term`] and the work that runs under it, but not the process. The candidate contends again.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `kube` | yes | the driver: [`Elections`], [`Term`], [`ClientPool`] and their dependencies (kube, tokio, hyper) |
//! | `rustls-tls` | yes | TLS by rustls; without it, see [`Tls`] |
//! | `ring` | yes | rustls with ring; without it, switch on the feature `aws-lc-rs` of kube |
//! | `metrics` | no | `Run::metrics`, and the crate `prometheus_client`, exported again |
//! | `serve` | no | `Run::serve`: `/healthz`, `/readyz` and `/metrics` on every replica |
//! | `mutants` | no | deliberate faults, to check that the tests notice them; never for production |
//!
//! # What is promised
//!
//! Two processes never hold a [valid](Validity) term of the same Lease at the same time, no matter what the network delays, loses or
//! reorders, and no matter what the wall clocks show. The validity of a leader counts from the instant at which its last successful
//! renewal was *sent*, and ends after RenewDeadline. All others wait for LeaseDuration from the instant at which *they* last
//! saw the record change.
//!
//! The API server does not fence, so this depends on three assumptions:
//!
//! - Clocks run at about the same *rate*. LeaseDuration − RenewDeadline is the margin. Their *readings* are never compared.
//! - No pause stops all clocks of a process at once for longer than that margin, as a hypervisor can do.
//! - A request that was sent while the term was valid does not stay in the network for longer than that margin. The expiry of a Lease allows
//!   for this time. A release does so too, provided that the work writes with [`Term::client`] or announces its writes
//!   ([`Term::announce_write`]).

mod annotations;
mod backoff;
mod config;
mod effect;
mod elector;
mod ended;
mod event;
mod expiry;
mod identity;
mod installation;
mod macros;
mod metadata;
#[cfg(feature = "mutants")]
pub mod mutants;
mod name;
mod record;
mod revision;
mod rules;
mod time;
mod timings;
mod validity;

#[cfg(feature = "kube")]
mod driver;

pub use annotations::{AnnotationChanges, Carried, PendingAnnotations};
pub use backoff::Backoff;
pub use config::{Creation, ElectorConfig, ReleaseStyle, Successors};
pub use effect::{AttemptId, Effect, EndReason, Write, WriteKind};
pub use elector::{Elector, State};
pub use ended::EndedProcesses;
pub use event::{Context, Event, Refusal};
pub use expiry::LastChange;
pub use identity::{EmptyIdentity, Identity, NOBODY};
pub use installation::{BadInstallation, Installation};
pub use metadata::{
    InvalidMetadata, MAX_ANNOTATIONS, check_annotation_key, check_annotations, check_annotations_size,
    check_labels,
};
pub use name::{LONGEST_SUFFIX, LeaderElectionId, LeaseName, NameError};
pub use record::{LeaseRecord, ObservedLease, RELEASED_LEASE_DURATION, TimePrecision};
pub use revision::{FencingToken, OpaqueVersion, ResourceVersion, Revision, Uid};
pub use time::{Boottime, Monotonic, Now};
pub use timings::{JITTER_PERCENT, TimingError, TimingWarning, Timings};
pub use validity::Validity;

#[cfg(feature = "kube")]
pub use driver::*;
/// The crate of the registry that [`Run::metrics`] takes. A program that uses it by this name cannot have another version of it.
#[cfg(feature = "metrics")]
pub use prometheus_client;
