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

pub mod annotations;
pub mod backoff;
pub mod config;
pub mod effect;
pub mod elector;
pub mod event;
pub mod expiry;
pub mod identity;
pub mod installation;
pub mod metadata;
pub mod mutants;
pub mod name;
pub mod record;
pub mod revision;
mod rules;
pub mod time;
pub mod timings;
mod validity;

#[cfg(feature = "kube")]
pub mod driver;

pub use backoff::Backoff;
pub use config::{Creation, ElectorConfig, ReleaseStyle, Successors};
pub use effect::{Effect, EndReason, Write};
pub use elector::{Elector, State};
pub use event::{Context, Event, Refusal};
pub use expiry::LastChange;
pub use identity::Identity;
pub use installation::{BadInstallation, Installation};
pub use metadata::InvalidMetadata;
pub use name::{LeaderElectionId, LeaseName, NameError};
pub use record::{LeaseRecord, ObservedLease};
pub use revision::{FencingToken, ResourceVersion, Revision, Uid};
pub use time::{Boottime, Monotonic, Now};
pub use timings::{TimingError, TimingWarning, Timings};
pub use validity::Validity;

#[cfg(feature = "kube")]
pub use driver::*;
