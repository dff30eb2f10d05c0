//! The flags of `status`. They have kubectl's names where kubectl has them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use super::duration::parse_duration;

/// The flags of `status`.
#[derive(Clone, Debug, Args)]
pub struct StatusArgs {
    /// The namespace of the Leases [default: that of the kubeconfig's context, or the Pod's]
    #[arg(long, short, env = "LEADER_ELECTION_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// The LeaderElectionID of the replicas
    #[arg(
        long,
        env = "LEADER_ELECTION_ID",
        default_value = super::DEFAULT_LEADER_ELECTION_ID,
        value_name = "ID"
    )]
    pub leader_election_id: String,

    /// Print tables, tables with more columns, or JSON
    #[arg(long, short, value_enum, default_value_t = Output::Table, value_name = "FORMAT")]
    pub output: Output,

    /// Print again whenever something changes, until interrupted
    #[arg(long, short)]
    pub watch: bool,

    /// With --watch: how often to ask the API server
    #[arg(long, default_value = "2s", value_parser = parse_duration, value_name = "DURATION")]
    pub interval: Duration,

    /// Count the resources of each shard, which lists all of them; with --watch once a minute
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = true,
          default_missing_value = "true", value_name = "BOOL")]
    pub resources: bool,

    /// How long to wait for the answer to one request
    #[arg(long, default_value = "10s", value_parser = parse_duration, value_name = "DURATION")]
    pub request_timeout: Duration,

    /// The kubeconfig [default: as kubectl finds it; in a Pod, its service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// How to print the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Tables.
    Table,
    /// Tables with more columns.
    Wide,
    /// One JSON object; with `--watch` one line each.
    Json,
}
