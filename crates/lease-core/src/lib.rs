//! Leader election on `coordination.k8s.io/v1` Leases, for operators that must not act twice.
//!
//! Several replicas contend for one Lease; the one that holds it leads. The crate has two parts:
//!
//! - a **pure state machine** ([`Elector`]): it does no I/O, reads no clock and draws no random number. Events and
//!   the present time go in, effects and the next deadline come out. Every rule of the protocol lives here, where
//!   it can be tested under any schedule. It needs neither tokio nor kube (`default-features = false`).
//! - a **driver** (feature `kube`, on by default): it turns effects into requests, watches all Leases of an
//!   operator with one watch, and runs on a thread of its own so that a busy reconciler cannot starve a renewal.
//!
//! # Run this future only while I lead
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
//!     let client = term.client(&pool); // refuses to send once this process may not act any more
//!     async move {
//!         println!("{} leads with fencing token {}", term.identity(), term.token());
//!         let _work_with = client;
//!         term.draining().await; // stop here when asked to; the Lease is released afterwards
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
//! | only on the leader | [`Elections::lead`], or [`Elections::candidate`] for a Lease of another name |
//! | on every replica (controller-runtime's RunNonLeaderElected), such as `/metrics` | spawn it; nothing here stops it |
//! | once per operator, beside sharded work | a candidate for the un-suffixed Lease: the coordinator's |
//! | on the only replica there is | [`ElectionsOptions::leader_election`] off: leads at once, without a Lease |
//!
//! Losing the Lease ends the [`Term`] and what runs under it, not the process; the candidate contends again.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `kube` | yes | the driver: [`Elections`], [`Term`], [`ClientPool`] and what they need (kube, tokio, hyper) |
//! | `mutants` | no | deliberate faults for tests of the tests; never for production |
//!
//! # What is promised
//!
//! At no instant do two processes hold a [valid](Validity) term of one Lease, whatever the network delays, loses or
//! reorders and whatever the wall clocks say. A leader counts its validity from the instant its last successful
//! renewal was *sent* and stops at RenewDeadline; everyone else waits for LeaseDuration from the instant *they* last
//! saw the record change.
//!
//! This rests on three assumptions, until the API server itself fences: clocks run at about the same *rate*
//! (LeaseDuration − RenewDeadline is the margin; their *readings* are never compared); no pause stops all clocks of a
//! process at once for longer than that margin, as a hypervisor can; and a request that was sent within the validity is
//! not held up in the network for longer than that same margin. A Lease that expires grants every
//! write this time; one that is released does if its work writes with [`Term::client`], or announces its writes
//! ([`Term::announce_write`]).

mod annotations;
mod backoff;
mod config;
mod effect;
mod elector;
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
pub use event::{Context, Event, Refusal};
pub use expiry::LastChange;
pub use identity::{EmptyIdentity, Identity, NOBODY};
pub use installation::{BadInstallation, Installation};
pub use metadata::{
    InvalidMetadata, MAX_ANNOTATIONS, check_annotation_key, check_annotations, check_annotations_size,
    check_labels,
};
pub use name::{LONGEST_SUFFIX, LeaderElectionId, LeaseName, NameError};
pub use record::{LeaseRecord, ObservedLease, RELEASED_LEASE_DURATION};
pub use revision::{FencingToken, OpaqueVersion, ResourceVersion, Revision, Uid};
pub use time::{Boottime, Monotonic, Now};
pub use timings::{JITTER_PERCENT, TimingError, TimingWarning, Timings};
pub use validity::Validity;

#[cfg(feature = "kube")]
pub use driver::*;
