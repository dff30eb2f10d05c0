//! The driver's settings, for all elections of a process and for one.

mod candidate;
mod on_overrun;

use std::sync::Arc;

use super::clock::{Clock, SystemClock};
use super::environment::{EnvironmentError, identity_from_env, installation_from_env, namespace_from_env};
use super::invalid_option::{InvalidOption, LONGEST_IDENTITY};
use super::runtime::LeaseRuntime;
use crate::identity::{Identity, NOBODY};
use crate::installation::Installation;
use crate::metadata::prefix_problem;
use crate::name::{LeaderElectionId, dns1123_problem};
use crate::timings::Timings;

pub use candidate::CandidateOptions;
pub use on_overrun::OnOverrun;

/// What stands before the `/` of this crate's labels and annotations where the operator has no domain of its own.
const DEFAULT_DOMAIN: &str = "lease-core.dev";

/// Settings that all elections of one process share.
///
/// ```
/// use lease_core::{ElectionsOptions, Identity, LeaderElectionId, Timings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let id = LeaderElectionId::new("backup.example.com")?;
/// let options = ElectionsOptions::new(id, "operators", Identity::of_pod("backup-0", "5f1c")?)
///     .timings(Timings::fast())
///     .domain("example.com");
/// # let _ = options;
/// # Ok(())
/// # }
/// ```
///
/// What the API server would refuse is refused by [`Elections::start`](super::Elections::start), see [`InvalidOption`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ElectionsOptions {
    /// LeaderElection on or off. Off, this process takes itself for the only one: every candidate leads as soon as it contends,
    /// without a Lease and for ever. Then there must be exactly one replica, and a Deployment must not surge. Default on.
    pub leader_election: bool,
    /// LeaderElectionID.
    pub id: LeaderElectionId,
    /// LeaderElectionNamespace: where the Leases are.
    pub namespace: String,
    /// holderIdentity.
    pub identity: Identity,
    /// Which installation this process belongs to; written on each Lease that it holds or creates. `None`: nothing is
    /// written, and what an earlier holder wrote is taken off. Default: none.
    pub installation: Option<Installation>,
    /// LeaseDuration, RenewDeadline, RetryPeriod.
    pub timings: Timings,
    /// The prefix of labels and annotations on Leases, such as the operator's API group.
    pub domain: String,
    /// ReleaseOnCancel: whether a Lease is released when its holder stops in good order. Default true.
    pub release_on_cancel: bool,
    /// What to do when work cannot be stopped before others may act.
    pub on_overrun: OnOverrun,
    /// Where Lease traffic runs.
    pub runtime: LeaseRuntime,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Seeds the jitter.
    pub seed: u64,
}

impl ElectionsOptions {
    /// Settings with the defaults for everything else.
    #[expect(
        clippy::disallowed_methods,
        reason = "replicas should not draw the same jitter; a simulation sets its own seed"
    )]
    pub fn new(id: LeaderElectionId, namespace: impl Into<String>, identity: Identity) -> Self {
        Self {
            leader_election: true,
            id,
            namespace: namespace.into(),
            identity,
            installation: None,
            timings: Timings::standard(),
            domain: DEFAULT_DOMAIN.to_owned(),
            release_on_cancel: true,
            on_overrun: OnOverrun::ExitProcess,
            runtime: LeaseRuntime::Dedicated,
            clock: Arc::new(SystemClock),
            seed: uuid::Uuid::new_v4().as_u64_pair().0,
        }
    }

    /// Namespace, identity and installation from the environment that a Pod has.
    ///
    /// # Errors
    ///
    /// The environment tells no namespace, or no name for this process.
    pub fn from_env(id: LeaderElectionId) -> Result<Self, EnvironmentError> {
        let installation = Some(installation_from_env());
        Ok(Self { installation, ..Self::new(id, namespace_from_env()?, identity_from_env()?) })
    }

    /// Whether there is leader election at all. Off, this process takes itself for the only one; see
    /// [the field](Self::leader_election). Default: on.
    #[must_use]
    pub fn leader_election(mut self, on: bool) -> Self {
        self.leader_election = on;
        self
    }

    /// Which installation this process belongs to. Default: none, and from the environment with [`from_env`](Self::from_env).
    #[must_use]
    pub fn installation(mut self, installation: Option<Installation>) -> Self {
        self.installation = installation;
        self
    }

    /// LeaseDuration, RenewDeadline, RetryPeriod. Default: [`Timings::standard`].
    #[must_use]
    pub fn timings(mut self, timings: Timings) -> Self {
        self.timings = timings;
        self
    }

    /// The prefix of labels and annotations on Leases, a DNS name such as the operator's API group.
    /// [`InvalidOption::Domain`] at the start if it is none.
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = domain.into();
        self
    }

    /// ReleaseOnCancel: whether a Lease is released when its holder shuts down in good order. Default: yes.
    #[must_use]
    pub fn release_on_cancel(mut self, release: bool) -> Self {
        self.release_on_cancel = release;
        self
    }

    /// What to do when work cannot be stopped before others may act. Default: [`OnOverrun::ExitProcess`].
    #[must_use]
    pub fn on_overrun(mut self, on_overrun: OnOverrun) -> Self {
        self.on_overrun = on_overrun;
        self
    }

    /// Where Lease traffic runs. Default: [`LeaseRuntime::Dedicated`].
    #[must_use]
    pub fn runtime(mut self, runtime: LeaseRuntime) -> Self {
        self.runtime = runtime;
        self
    }

    /// Where the time comes from. Default: [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Seeds the jitter. Default: random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Looks for what would be refused with every write of a Lease.
    pub(super) fn check(&self) -> Result<(), InvalidOption> {
        if let Some(problem) = prefix_problem(&self.domain) {
            return Err(InvalidOption::Domain { domain: self.domain.clone(), problem });
        }
        let namespace = &self.namespace;
        if namespace.len() > 63 || namespace.contains('.') || dns1123_problem(namespace).is_some() {
            return Err(InvalidOption::Namespace(namespace.clone()));
        }
        let identity = self.identity.as_str();
        let legible = !identity.chars().any(char::is_control);
        if !legible || identity.len() > LONGEST_IDENTITY || identity == NOBODY {
            return Err(InvalidOption::Identity { length: identity.len() });
        }
        Ok(())
    }

    /// What a careful operator would rather know, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.timings.warnings().iter().map(ToString::to_string).collect();
        if !self.id.has_group() {
            warnings.push(format!(
                "the LeaderElectionID {:?} carries no API group; another operator in namespace {} may well use the \
                 same, so prefer one like \"{}.example.com\"",
                self.id.as_str(),
                self.namespace,
                self.id
            ));
        }
        warnings
    }
}
