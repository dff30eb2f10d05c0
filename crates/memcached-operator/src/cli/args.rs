//! The flags of `run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use lease_core::ResourceLock;
use shard_router::ShardCount;

use super::duration::parse_duration;

/// The flags of `run`. Durations are written as in Go: `15s`, `1m30s`, `500ms`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Share the work with other replicas by means of Leases. If false, there must be exactly one replica
    #[arg(long, env = "LEADER_ELECT", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = true, default_missing_value = "true", value_name = "BOOL")]
    pub leader_elect: bool,

    /// LeaderElectionID: the same for all replicas of an installation. The Leases are named after it
    #[arg(
        long,
        env = "LEADER_ELECTION_ID",
        default_value = super::DEFAULT_LEADER_ELECTION_ID,
        value_name = "ID"
    )]
    pub leader_election_id: String,

    /// The namespace of the Leases [default: the Pod's namespace]
    #[arg(long, env = "LEADER_ELECTION_NAMESPACE", value_name = "NAMESPACE")]
    pub leader_election_namespace: Option<String>,

    /// The kind of object that elections are held on: leases. The legacy locks configmaps and endpoints are refused, because
    /// shards exist on Leases only
    #[arg(long, env = "LEADER_ELECTION_RESOURCE_LOCK", default_value = "leases", value_name = "LOCK")]
    pub leader_election_resource_lock: ResourceLock,

    /// The installation that this replica belongs to, such as namespace/release; the same for all of its replicas. If
    /// another installation uses the same LeaderElectionID, this one does not contend for Leases and says so [default: the
    /// Pod's namespace]
    #[arg(long, env = "INSTALLATION", value_name = "NAME")]
    pub installation: Option<String>,

    /// LeaseDuration, RenewDeadline and RetryPeriod at once: standard 15s/10s/2s, fast 5s/3s/1s, lazy 60s/40s/10s
    #[arg(long, env = "PRESET", value_enum, default_value_t = Preset::Standard)]
    pub preset: Preset,

    /// How long other replicas wait after the last renewal before they take over, in whole seconds [default: by preset]
    #[arg(long, env = "LEASE_DURATION", value_parser = parse_duration, value_name = "DURATION")]
    pub lease_duration: Option<Duration>,

    /// How long a replica keeps working without a successful renewal [default: by preset]
    #[arg(long, env = "RENEW_DEADLINE", value_parser = parse_duration, value_name = "DURATION")]
    pub renew_deadline: Option<Duration>,

    /// The interval between renewals, and between attempts to acquire a Lease [default: by preset]
    #[arg(long, env = "RETRY_PERIOD", value_parser = parse_duration, value_name = "DURATION")]
    pub retry_period: Option<Duration>,

    /// Release the Leases on a graceful shutdown, so that other replicas do not have to wait for their expiry
    #[arg(long, env = "RELEASE_ON_CANCEL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = true, default_missing_value = "true", value_name = "BOOL")]
    pub release_on_cancel: bool,

    /// A directory that is kept when this process ends and that no other container uses, such as an emptyDir. With it, a
    /// container that restarts takes its shards back within LeaseDuration - RenewDeadline [default: none, they expire]
    #[arg(long, env = "STATE_DIR", value_name = "DIRECTORY")]
    pub state_dir: Option<PathBuf>,

    /// Number of shards that the resources are split into, 1 to 256; the same for all replicas
    #[arg(long, env = "SHARDS", default_value = "8", value_name = "N")]
    pub shards: ShardCount,

    /// The ConfigMap whose key `shards` says how many shards are wanted, in the Pod's namespace. The number may change while the
    /// replicas run; --shards then counts only until a layout is committed [default: none, it is --shards]
    #[arg(long, env = "SHARDS_CONFIG_MAP", value_name = "NAME")]
    pub shards_config_map: Option<String>,

    /// Label by whose value resources are kept together in one shard [default: none, by namespace and name]
    #[arg(long, env = "SHARD_KEY_LABEL", value_name = "LABEL")]
    pub shard_key_label: Option<String>,

    /// Replace a committed layout that has another --shard-key-label, instead of refusing to work: for the rolling update that changes
    /// the label. Nothing is reconciled while it is replaced. Switch it off afterwards
    #[arg(long, env = "REPLACE_LAYOUT", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", value_name = "BOOL")]
    pub replace_layout: bool,

    /// The namespaces to watch, separated by commas; the same for all replicas [default: all]
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', value_name = "NAMESPACES")]
    pub watch_namespaces: Vec<String>,

    /// Write the ownership table, so that the API server can refuse writes of a replica that has lost a shard. It needs
    /// admission policies (see fencing-policies) and the environment variables POD_NAME and POD_UID. With required, a bucket is not worked on while its row cannot be written
    #[arg(long, env = "FENCING", value_enum, default_value_t = FencingMode::Off, value_name = "MODE")]
    pub fencing: FencingMode,

    /// Maximum number of concurrent reconciles per shard
    #[arg(long, env = "CONCURRENCY", default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// The longest delay between retries of a resource that keeps failing
    #[arg(long, env = "RETRY_MAX_BACKOFF", default_value = "5m", value_parser = parse_duration,
          value_name = "DURATION")]
    pub retry_max_backoff: Duration,

    /// How often a resource is reconciled although nothing has changed; 0 for never
    #[arg(long, env = "RESYNC_INTERVAL", default_value = "10m", value_parser = parse_duration,
          value_name = "DURATION")]
    pub resync_interval: Duration,

    /// How long running reconciles may take to finish before a shard is handed over. Keep it below the Pod's
    /// terminationGracePeriodSeconds
    #[arg(long, env = "DRAIN_TIMEOUT", default_value = "20s", value_parser = parse_duration,
          value_name = "DURATION")]
    pub drain_timeout: Duration,

    /// Where to write a record of each reconcile: off, stdout, stderr, or a file to append to
    #[arg(long, env = "RECONCILE_RECORDS", default_value = "off", value_name = "TARGET")]
    pub reconcile_records: String,

    /// The address of /metrics; off to disable it
    #[arg(long, env = "METRICS_ADDR", default_value = "0.0.0.0:8080", value_parser = listen_address,
          value_name = "ADDR")]
    pub metrics_addr: Listen,

    /// The address of /healthz and /readyz; off to disable them
    #[arg(long, env = "HEALTH_ADDR", default_value = "0.0.0.0:8081", value_parser = listen_address,
          value_name = "ADDR")]
    pub health_addr: Listen,

    /// Format of log lines
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Log level, or directives such as info,kube=debug
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log_level: String,
}

/// A preset for LeaseDuration, RenewDeadline and RetryPeriod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// client-go's defaults.
    Standard,
    /// Fast failover, for an API server that answers quickly.
    Fast,
    /// Few requests, for work that can wait for a minute.
    Lazy,
}

/// Whether a replica writes the ownership table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FencingMode {
    /// It does not.
    Off,
    /// It does. Where the table cannot be written, it works without.
    On,
    /// It does. Where the table cannot be written, it waits.
    Required,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For people.
    Text,
}

/// An address to listen on, or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

/// Accepts `:8080` for all addresses, as Go programs do.
fn listen_address(text: &str) -> Result<Listen, String> {
    if matches!(text, "off" | "0" | "") {
        return Ok(Listen(None));
    }
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let advice = "write it as 0.0.0.0:8080, [::]:8080 or :8080, or off to serve nothing";
    full.parse().map(|address| Listen(Some(address))).map_err(|_| format!("this is not an address; {advice}"))
}
