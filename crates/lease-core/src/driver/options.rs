//! The driver's settings, for all elections of a process and for one.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::clock::{Clock, SystemClock};
use super::environment::{EnvironmentError, identity_from_env, installation_from_env, namespace_from_env};
use super::invalid_option::{InvalidOption, LONGEST_IDENTITY};
use super::runtime::LeaseRuntime;
use super::wire::LeaseMetadata;
use crate::config::{Creation, ReleaseStyle};
use crate::identity::{Identity, NOBODY};
use crate::installation::Installation;
use crate::metadata::prefix_problem;
use crate::name::{LeaderElectionId, dns1123_problem};
use crate::timings::Timings;

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

/// What to do when work that lost its Lease cannot be stopped before LeaseDuration is over: from then on, two replicas
/// might act.
#[derive(Clone)]
pub enum OnOverrun {
    /// End the process with exit code 70, after a message.
    ExitProcess,
    /// Call this instead. For tests.
    Call(Arc<dyn Fn(&str) + Send + Sync>),
}

impl OnOverrun {
    pub(super) fn act(&self, message: &str) {
        // Whatever is wrong with the log, the process has to end.
        let _ = catch_unwind(AssertUnwindSafe(|| tracing::error!("{message}")));
        match self {
            Self::ExitProcess => {
                // The log's writer may be behind; this line has to get out, if there is a way. `eprintln` panics where there is none.
                let _ = writeln!(io::stderr(), "{message}");
                std::process::exit(70);
            }
            Self::Call(call) => call(message),
        }
    }
}

impl fmt::Debug for OnOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExitProcess => "ExitProcess",
            Self::Call(_) => "Call",
        })
    }
}

/// Settings of one election.
///
/// ```
/// use std::time::Duration;
///
/// use lease_core::CandidateOptions;
///
/// let options = CandidateOptions::default().drain_timeout(Duration::from_secs(10)).label("team", "storage");
/// assert!(options.contend);
/// ```
///
/// What the API server would refuse is refused by [`Elections::candidate`](super::Elections::candidate), see [`InvalidOption`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CandidateOptions {
    /// What to do where there is no Lease. Default: wait LeaseDuration, then create it.
    pub creation: Creation,
    /// How long to leave a free Lease to others before taking it. Default: not at all.
    pub acquire_delay: Duration,
    /// How long running work may take to finish when asked to. Default 30 s.
    pub drain_timeout: Duration,
    /// Whether to contend from the start. Default true.
    pub contend: bool,
    /// Whether to leave events on the Lease ("… became leader", "… stopped leading"). Default true.
    pub announce: bool,
    /// Delete the Lease where others would release it. Default false.
    pub delete_on_release: bool,
    /// Put on the Lease with each write, so that it is collected with its owner.
    pub owner: Option<OwnerReference>,
    /// Put on the Lease with each write.
    pub labels: BTreeMap<String, String>,
    /// Put on the Lease with each write.
    pub annotations: BTreeMap<String, String>,
}

impl Default for CandidateOptions {
    fn default() -> Self {
        Self {
            creation: Creation::AfterWaiting,
            acquire_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            contend: true,
            announce: true,
            delete_on_release: false,
            owner: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }
}

impl CandidateOptions {
    /// What to do where there is no Lease. Default: [`Creation::AfterWaiting`].
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// How long to leave a free Lease to others before taking it. Default: not at all.
    #[must_use]
    pub fn acquire_delay(mut self, delay: Duration) -> Self {
        self.acquire_delay = delay;
        self
    }

    /// How long running work may take to finish when it is asked to, before it is aborted. Default: 30 s.
    #[must_use]
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// Whether to contend from the start. Default: yes.
    #[must_use]
    pub fn contend(mut self, contend: bool) -> Self {
        self.contend = contend;
        self
    }

    /// Whether to leave events on the Lease ("… became leader", "… stopped leading"). Default: yes.
    #[must_use]
    pub fn announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }

    /// Delete the Lease where others would release it. Default: no.
    #[must_use]
    pub fn delete_on_release(mut self, delete: bool) -> Self {
        self.delete_on_release = delete;
        self
    }

    /// Whose Lease it is, so that it is collected with its owner. [`InvalidOption::Owner`] later if the reference is not complete.
    #[must_use]
    pub fn owner(mut self, owner: Option<OwnerReference>) -> Self {
        self.owner = owner;
        self
    }

    /// Puts a label on the Lease with each write. [`InvalidOption::Metadata`] later if the API server would refuse it, or if the key is
    /// one of this crate's own.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// Puts an annotation on the Lease with each write. [`InvalidOption::Metadata`] later if the API server would refuse it, or if the
    /// key is one of this crate's own.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    pub(super) fn into_metadata(self) -> LeaseMetadata {
        LeaseMetadata { owner: self.owner, labels: self.labels, annotations: self.annotations }
    }

    pub(super) fn release_style(&self, release_on_cancel: bool) -> ReleaseStyle {
        match (self.delete_on_release, release_on_cancel) {
            (true, _) => ReleaseStyle::Delete,
            (false, true) => ReleaseStyle::Vacate,
            (false, false) => ReleaseStyle::LetExpire,
        }
    }
}
