//! The flags of `run`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use shard_router::ShardCount;

use super::duration::parse_duration;

/// How the operator is to run. Durations are written as in Go: `15s`, `1m30s`, `500ms`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Share the work with other replicas by Leases. Without it there must be exactly one replica
    #[arg(long, env = "LEADER_ELECT", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = true, default_missing_value = "true", value_name = "BOOL")]
    pub leader_elect: bool,

    /// The name that all replicas of this operator share, and that their Leases begin with
    #[arg(
        long,
        env = "LEADER_ELECTION_ID",
        default_value = "memcached.cache.example.com",
        value_name = "ID"
    )]
    pub leader_election_id: String,

    /// Where the Leases are [default: the Pod's own namespace]
    #[arg(long, env = "LEADER_ELECTION_NAMESPACE", value_name = "NAMESPACE")]
    pub leader_election_namespace: Option<String>,

    /// Which installation this replica belongs to, such as namespace/release: the same for all of its replicas. Where
    /// another installation has the same LeaderElectionID, this one contends for nothing and says so [default: the Pod's
    /// own namespace]
    #[arg(long, env = "INSTALLATION", value_name = "NAME")]
    pub installation: Option<String>,

    /// LeaseDuration, RenewDeadline and RetryPeriod at once: standard 15s/10s/2s, fast 5s/3s/1s, lazy 60s/40s/10s
    #[arg(long, env = "PRESET", value_enum, default_value_t = Preset::Standard)]
    pub preset: Preset,

    /// How long others wait after a replica was last heard of, in whole seconds [default: by preset]
    #[arg(long, env = "LEASE_DURATION", value_parser = parse_duration, value_name = "DURATION")]
    pub lease_duration: Option<Duration>,

    /// How long a replica works on without a successful renewal [default: by preset]
    #[arg(long, env = "RENEW_DEADLINE", value_parser = parse_duration, value_name = "DURATION")]
    pub renew_deadline: Option<Duration>,

    /// How often Leases are renewed, and attempts repeated [default: by preset]
    #[arg(long, env = "RETRY_PERIOD", value_parser = parse_duration, value_name = "DURATION")]
    pub retry_period: Option<Duration>,

    /// Release Leases on a clean end, so that others need not wait until they expire
    #[arg(long, env = "RELEASE_ON_CANCEL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
          default_value_t = true, default_missing_value = "true", value_name = "BOOL")]
    pub release_on_cancel: bool,

    /// How many shards the resources are split into, 1 to 256; the same for all replicas
    #[arg(long, env = "SHARDS", default_value = "8", value_name = "N")]
    pub shards: ShardCount,

    /// The label whose value keeps resources together in one shard [default: namespace/name, each by itself]
    #[arg(long, env = "SHARD_KEY_LABEL", value_name = "LABEL")]
    pub shard_key_label: Option<String>,

    /// The only namespaces to look at, separated by commas [default: all]
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', value_name = "NAMESPACES")]
    pub watch_namespaces: Vec<String>,

    /// How many resources of one shard are worked on at once
    #[arg(long, env = "CONCURRENCY", default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub concurrency: u16,

    /// The longest wait between attempts at a resource that keeps failing
    #[arg(long, env = "RETRY_MAX_BACKOFF", default_value = "5m", value_parser = parse_duration,
          value_name = "DURATION")]
    pub retry_max_backoff: Duration,

    /// How often a resource is looked at although nothing happened; 0 for never
    #[arg(long, env = "RESYNC_INTERVAL", default_value = "10m", value_parser = parse_duration,
          value_name = "DURATION")]
    pub resync_interval: Duration,

    /// How long running work may take to end before a shard is handed over. Keep it below the Pod's
    /// terminationGracePeriodSeconds
    #[arg(long, env = "DRAIN_TIMEOUT", default_value = "20s", value_parser = parse_duration,
          value_name = "DURATION")]
    pub drain_timeout: Duration,

    /// Where a record of each reconcile goes: off, stdout, stderr, or a file to append to
    #[arg(long, env = "RECONCILE_RECORDS", default_value = "off", value_name = "TARGET")]
    pub reconcile_records: String,

    /// Where /metrics is served; off for nowhere
    #[arg(long, env = "METRICS_ADDR", default_value = "0.0.0.0:8080", value_parser = listen_address,
          value_name = "ADDR")]
    pub metrics_addr: Listen,

    /// Where /healthz and /readyz are served; off for nowhere
    #[arg(long, env = "HEALTH_ADDR", default_value = "0.0.0.0:8081", value_parser = listen_address,
          value_name = "ADDR")]
    pub health_addr: Listen,

    /// How log lines look
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged: a level, or directives such as info,kube=debug
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log_level: String,
}

/// Timings that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// client-go's defaults.
    Standard,
    /// Quick failover, for an API server that answers well.
    Fast,
    /// Little traffic, for work that may wait a minute.
    Lazy,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For people.
    Text,
}

/// An address to serve on, unless that is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub Option<SocketAddr>);

/// Takes `:8080` for all addresses, as Go programs do.
fn listen_address(text: &str) -> Result<Listen, String> {
    if matches!(text, "off" | "0" | "") {
        return Ok(Listen(None));
    }
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    let advice = "write it as 0.0.0.0:8080, [::]:8080 or :8080, or off to serve nothing";
    full.parse().map(|address| Listen(Some(address))).map_err(|_| format!("this is no address; {advice}"))
}
