//! The driver's options, for all candidates of a process and for one.

mod candidate;
mod on_overrun;

use std::path::PathBuf;
use std::sync::Arc;

use super::clock::{Clock, SystemClock};
use super::environment::{EnvironmentError, identity_from_env, installation_from_env, namespace_from_env};
use super::invalid_option::{InvalidOption, LONGEST_IDENTITY};
use super::resource_lock::ResourceLock;
use super::runtime::LeaseRuntime;
use crate::ended::EndedProcesses;
use crate::identity::{Identity, NOBODY};
use crate::installation::Installation;
use crate::metadata::prefix_problem;
use crate::name::{LeaderElectionId, dns1123_problem};
use crate::timings::Timings;

pub use candidate::CandidateOptions;
pub use on_overrun::OnOverrun;

/// The default prefix of labels and annotations, if the operator does not set a domain.
const DEFAULT_DOMAIN: &str = "lease-core.dev";

/// The options that all candidates of a process share.
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
/// [`Elections::start`](super::Elections::start) refuses options that the API server would refuse, see [`InvalidOption`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ElectionsOptions {
    /// Leader election on or off. If it is off, this process assumes that it is the only one: every candidate is the leader as soon as it contends,
    /// without a Lease and without an end. Then there must be exactly one replica, and a Deployment must not surge. Default: on.
    pub leader_election: bool,
    /// LeaderElectionID: common to all replicas of the operator. The Leases are named after it.
    pub id: LeaderElectionId,
    /// LeaderElectionNamespace: the namespace of the Leases.
    pub namespace: String,
    /// The kind of object that the election is held on. Default: Leases. Candidates that use different kinds do not know of each other.
    pub resource_lock: ResourceLock,
    /// holderIdentity of this process; unique per process.
    pub identity: Identity,
    /// The installation that this process belongs to. It is written to each Lease that the process holds or creates. With `None`, nothing is
    /// written, and the value of an earlier holder is removed. Default: none.
    pub installation: Option<Installation>,
    /// LeaseDuration, RenewDeadline, RetryPeriod.
    pub timings: Timings,
    /// The prefix of labels and annotations on Leases, such as the operator's API group.
    pub domain: String,
    /// ReleaseOnCancel: whether Leases are released at a graceful shutdown. Default: true.
    pub release_on_cancel: bool,
    /// A directory that is kept when this process ends, and that only its successors use, such as an emptyDir. With it, a process that restarts in the same
    /// place takes its Leases back without waiting for their expiry. Default: none.
    pub state_dir: Option<PathBuf>,
    /// Processes that are proven to have ended, in addition to those that the lock in `state_dir` proves to have. For simulations. Default: none.
    pub ended: EndedProcesses,
    /// What to do if work cannot be stopped before others may act. Default: end the process.
    pub on_overrun: OnOverrun,
    /// The runtime of the Lease traffic. Default: a dedicated thread.
    pub runtime: LeaseRuntime,
    /// The source of time. Default: the system's clocks.
    pub clock: Arc<dyn Clock>,
    /// The seed for jitter. Default: random.
    pub seed: u64,
}

impl ElectionsOptions {
    /// Options with defaults for everything else.
    #[expect(
        clippy::disallowed_methods,
        reason = "replicas should not draw the same jitter; a simulation sets its own seed"
    )]
    pub fn new(id: LeaderElectionId, namespace: impl Into<String>, identity: Identity) -> Self {
        Self {
            leader_election: true,
            id,
            namespace: namespace.into(),
            resource_lock: ResourceLock::Leases,
            identity,
            installation: None,
            timings: Timings::standard(),
            domain: DEFAULT_DOMAIN.to_owned(),
            release_on_cancel: true,
            state_dir: None,
            ended: EndedProcesses::default(),
            on_overrun: OnOverrun::ExitProcess,
            runtime: LeaseRuntime::Dedicated,
            clock: Arc::new(SystemClock),
            seed: uuid::Uuid::new_v4().as_u64_pair().0,
        }
    }

    /// Options with namespace, identity and installation from the environment of a Pod.
    ///
    /// # Errors
    ///
    /// If the environment contains no namespace, or no name for this process.
    pub fn from_env(id: LeaderElectionId) -> Result<Self, EnvironmentError> {
        let installation = Some(installation_from_env());
        Ok(Self { installation, ..Self::new(id, namespace_from_env()?, identity_from_env()?) })
    }

    /// Leader election on or off. If it is off, this process assumes that it is the only one; see
    /// [the field](Self::leader_election). Default: on.
    #[must_use]
    pub fn leader_election(mut self, on: bool) -> Self {
        self.leader_election = on;
        self
    }

    /// The kind of object that the election is held on; [`ResourceLock`] says what the legacy ones are for. Default: [`ResourceLock::Leases`].
    #[must_use]
    pub fn resource_lock(mut self, lock: ResourceLock) -> Self {
        self.resource_lock = lock;
        self
    }

    /// The installation that this process belongs to. Default: none; with [`from_env`](Self::from_env), from the environment.
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

    /// The prefix of labels and annotations on Leases, a DNS name such as the operator's API group. If it is invalid, the start
    /// fails with [`InvalidOption::Domain`].
    #[must_use]
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = domain.into();
        self
    }

    /// ReleaseOnCancel: whether Leases are released at a graceful shutdown. Default: yes.
    #[must_use]
    pub fn release_on_cancel(mut self, release: bool) -> Self {
        self.release_on_cancel = release;
        self
    }

    /// A directory that is kept when this process ends, such as an emptyDir that is mounted in its container and in no other. Default: none.
    ///
    /// The process locks a file there, for as long as it lives. A container that restarts in the same Pod gets the lock when the process
    /// before it is dead, and then takes the Leases of that process back within LeaseDuration − RenewDeadline instead of LeaseDuration: until then, requests of
    /// that process may be on their way. What the work does must end with the process: programs that it has started are not waited for.
    ///
    /// If nothing can be proven there (another process holds the lock, a network file system, no right to write), a warning says why, and the Leases expire
    /// as without it. It works on Linux.
    #[must_use]
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// What to do if work cannot be stopped before others may act. Default: [`OnOverrun::ExitProcess`].
    #[must_use]
    pub fn on_overrun(mut self, on_overrun: OnOverrun) -> Self {
        self.on_overrun = on_overrun;
        self
    }

    /// The runtime of the Lease traffic. Default: [`LeaseRuntime::Dedicated`].
    #[must_use]
    pub fn runtime(mut self, runtime: LeaseRuntime) -> Self {
        self.runtime = runtime;
        self
    }

    /// The source of time. Default: [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The seed for jitter. Default: random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks for options with which every write of a Lease would be refused.
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

    /// Warnings about options that are allowed but usually not advisable, one sentence each. [`Elections::start`](super::Elections::start) logs them.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.timings.warnings().iter().map(ToString::to_string).collect();
        if self.resource_lock.is_legacy() && self.leader_election {
            warnings.push(format!(
                "the resource lock {:?} is legacy, client-go refuses it since 0.24; use \"leases\" as soon as no other program needs this lock: \
                 end all processes with this lock first, because they and those with another lock do not know of each other",
                self.resource_lock.as_str()
            ));
        }
        if !self.id.has_group() {
            warnings.push(format!(
                "the LeaderElectionID {:?} contains no API group; another operator in namespace {} may use the \
                 same ID, so prefer one like \"{}.example.com\"",
                self.id.as_str(),
                self.namespace,
                self.id
            ));
        }
        warnings
    }
}
