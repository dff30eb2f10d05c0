//! Settings from flags. Everything that depends on more than one flag is checked here, before anything starts.

use std::time::Duration;

use lease_core::{
    BadInstallation, ElectionsOptions, EnvironmentError, Installation, LeaderElectionId, NameError,
    TimingError, Timings, identity_from_env, installation_from_env, namespace_from_env,
};
use shard_router::fencing::Fencing;
use shard_router::{Backoff, CannotFence, LegacyLock, Options, RecordTarget, ShardsConfigMap};

use super::PRODUCT;
use super::args::{FencingMode, Preset, RunArgs};
use crate::crd::DOMAIN;

/// The checked settings.
pub struct Settings {
    /// The options of the shard router.
    pub options: Options,
    /// Warnings for the log.
    pub warnings: Vec<String>,
}

/// The flags contradict each other, or the environment lacks something. Fatal at the start.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The LeaderElectionID is invalid.
    #[error("--leader-election-id cannot be used: {0}")]
    Id(#[from] NameError),
    /// The resource lock is a legacy one.
    #[error("--leader-election-resource-lock cannot be used: {0}")]
    ResourceLock(#[from] LegacyLock),
    /// The table cannot be written.
    #[error("--fencing cannot be used: {0}")]
    Fencing(#[from] CannotFence),
    /// The name of the installation is invalid.
    #[error("--installation cannot be used: {0}")]
    Installation(#[from] BadInstallation),
    /// LeaseDuration, RenewDeadline and RetryPeriod do not fit together.
    #[error("the timings cannot be used: {0}")]
    Timings(#[from] TimingError),
    /// The namespace or the identity is missing, in the flags and in the environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The shard key label is not a label key.
    #[error("--shard-key-label is {0:?}, which is no label key; write it like tenant or example.com/tenant")]
    KeyLabel(String),
    /// A value is not the name of a ConfigMap.
    #[error(
        "--shards-config-map is {0:?}, which is no name; use lower case letters, digits, '-' and '.', at most 253"
    )]
    ConfigMap(String),
    /// A value is not the name of a namespace.
    #[error("{flag} is {value:?}, which is no namespace; use lower case letters, digits and '-', at most 63")]
    Namespace {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
    },
    /// The maximum backoff is shorter than the first delay.
    #[error("--retry-max-backoff is shorter than the first wait of {}s; set it to that or more", .0.as_secs())]
    Backoff(Duration),
    /// The file for the reconcile records cannot be opened.
    #[error(
        "--reconcile-records is {target:?}, which cannot be written to ({source}); use off, stdout, stderr or a path"
    )]
    Records {
        /// Its value.
        target: String,
        /// The error.
        source: std::io::Error,
    },
}

impl Settings {
    /// Checks the flags against each other and against the environment of this process (`POD_NAME`, `POD_NAMESPACE`).
    ///
    /// # Errors
    /// The first problem that was found.
    pub fn new(args: &RunArgs) -> Result<Self, UsageError> {
        let id = LeaderElectionId::new(&args.leader_election_id)?;
        let namespace = match given(args.leader_election_namespace.as_deref()) {
            Some(namespace) => checked_namespace("--leader-election-namespace", namespace)?,
            None => namespace_from_env()?,
        };
        let mut elections = ElectionsOptions::new(id, namespace, identity_from_env()?);
        LegacyLock::refuse(args.leader_election_resource_lock)?;
        elections.resource_lock = args.leader_election_resource_lock;
        elections.installation = Some(match given(args.installation.as_deref()) {
            Some(name) => Installation::new(name)?,
            None => installation_from_env(),
        });
        elections.timings = timings(args)?;
        elections.release_on_cancel = args.release_on_cancel;
        elections.state_dir = args.state_dir.clone().filter(|dir| !dir.as_os_str().is_empty());
        DOMAIN.clone_into(&mut elections.domain);
        let warnings = elections.warnings();

        elections.leader_election = args.leader_elect;
        let key_label = given(args.shard_key_label.as_deref()).map(checked_label).transpose()?;
        let namespaces: Vec<_> = args
            .watch_namespaces
            .iter()
            .filter_map(|namespace| given(Some(namespace)))
            .map(|namespace| checked_namespace("--watch-namespaces", namespace))
            .collect::<Result<_, _>>()?;
        let shards_config_map = given(args.shards_config_map.as_deref()).map(config_map).transpose()?;
        let backoff = backoff(args)?;
        let records = args
            .reconcile_records
            .parse::<RecordTarget>()
            .unwrap_or_else(|never| match never {})
            .open()
            .map_err(|source| UsageError::Records { target: args.reconcile_records.clone(), source })?;
        let options = Options::new(elections)
            .with_product(PRODUCT)
            .with_shards(args.shards)
            .with_shards_config_map(shards_config_map)
            .with_key_label(key_label)
            .with_layout_replacement(args.replace_layout)
            .with_watch_namespaces(namespaces)
            .with_concurrency_per_shard(usize::from(args.concurrency))
            .with_resync(Some(args.resync_interval).filter(|interval| !interval.is_zero()))
            .with_drain_timeout(args.drain_timeout)
            .with_backoff(backoff)
            .with_fencing(fencing(args.fencing))
            .with_records(records);
        CannotFence::check(&options)?;
        Ok(Self { options, warnings })
    }
}

fn fencing(mode: FencingMode) -> Option<Fencing> {
    match mode {
        FencingMode::Off => None,
        FencingMode::On => Some(Fencing::default()),
        FencingMode::Required => Some(Fencing::default().with_required(true)),
    }
}

fn timings(args: &RunArgs) -> Result<Timings, TimingError> {
    let preset = match args.preset {
        Preset::Standard => Timings::standard(),
        Preset::Fast => Timings::fast(),
        Preset::Lazy => Timings::lazy(),
    };
    Timings::new(
        args.lease_duration.unwrap_or(preset.lease_duration()),
        args.renew_deadline.unwrap_or(preset.renew_deadline()),
        args.retry_period.unwrap_or(preset.retry_period()),
    )
}

fn backoff(args: &RunArgs) -> Result<Backoff, UsageError> {
    let backoff = Backoff::default().with_cap(args.retry_max_backoff);
    if backoff.cap < backoff.base { Err(UsageError::Backoff(backoff.base)) } else { Ok(backoff) }
}

/// Treats an empty environment variable like a missing one.
fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn checked_namespace(flag: &'static str, value: &str) -> Result<String, UsageError> {
    let fine = value.len() <= 63
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-');
    if fine { Ok(value.to_owned()) } else { Err(UsageError::Namespace { flag, value: value.to_owned() }) }
}

/// The ConfigMap of this name in the Pod's namespace.
fn config_map(name: &str) -> Result<ShardsConfigMap, UsageError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let fine = |part: &str| {
        let bytes = part.as_bytes();
        let ends = |b: Option<&u8>| b.is_some_and(|b| inner(*b));
        bytes.iter().all(|b| inner(*b) || *b == b'-') && ends(bytes.first()) && ends(bytes.last())
    };
    if name.len() <= 253 && name.split('.').all(fine) {
        Ok(ShardsConfigMap::new(namespace_from_env()?, name))
    } else {
        Err(UsageError::ConfigMap(name.to_owned()))
    }
}

fn checked_label(key: &str) -> Result<String, UsageError> {
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("prefix.is.optional", key));
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let fine = |part: &str, longest: usize| {
        let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = part.as_bytes();
        bytes.len() <= longest && bytes.iter().all(|b| inner(*b)) && ends(bytes.first()) && ends(bytes.last())
    };
    let fine = fine(prefix, 253) && fine(name, 63);
    if fine { Ok(key.to_owned()) } else { Err(UsageError::KeyLabel(key.to_owned())) }
}
