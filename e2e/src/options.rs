//! What to run, where, and what to leave behind.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Drills on a cluster with the operator installed as users install it, judged by what every replica recorded and what
/// the API server accepted.
#[derive(Parser, Clone)]
#[command(name = "cargo xtask e2e", bin_name = "cargo xtask e2e")]
pub(crate) struct Options {
    /// Where the cluster comes from
    #[arg(long, value_enum, default_value_t = Provider::Kind)]
    pub(crate) provider: Provider,
    /// The name of the kind cluster
    #[arg(long, default_value = "memcached-operator-e2e", value_name = "NAME")]
    pub(crate) name: String,
    /// The image of the kind nodes [default: kind's own]
    #[arg(long, env = "E2E_NODE_IMAGE", value_name = "IMAGE")]
    pub(crate) node_image: Option<String>,
    /// The operator's image, here or where the nodes find it [default: built by `cargo xtask image`]
    #[arg(long, value_name = "IMAGE", required_if_eq("provider", "existing"))]
    pub(crate) operator_image: Option<String>,
    /// The chart to install
    #[arg(long, default_value = "charts/memcached-operator", value_name = "DIR")]
    pub(crate) chart: PathBuf,
    /// An environment variable for the operator (may be repeated): with an image built for tests, SHARD_ROUTER_MUTANT breaks a
    /// rule on purpose
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) env: Vec<(String, String)>,
    /// The image of the memcached servers [default: that of the operator; made from Debian's package where it cannot be
    /// pulled]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) memcached_image: Option<String>,
    /// The image of the memcached client, here or where the nodes find it [default: built]
    #[arg(long, value_name = "IMAGE", required_if_eq("provider", "existing"))]
    pub(crate) client_image: Option<String>,
    /// Run only drills whose name contains this (may be repeated, or separated by commas)
    #[arg(long, value_name = "TEXT", value_delimiter = ',')]
    pub(crate) filter: Vec<String>,
    /// List the drills and run none
    #[arg(long)]
    pub(crate) list: bool,
    /// The timings of the election
    #[arg(long, value_enum, default_value_t = Preset::Fast)]
    pub(crate) preset: Preset,
    /// How often the drills that measure a takeover do it
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) repeat: u32,
    /// How many resources the burst creates at once
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) burst: u32,
    /// Leave the cluster as it is at the end
    #[arg(long)]
    pub(crate) keep: bool,
    /// Write the result to this file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where junit.xml, report.html, logs and records go
    #[arg(long, default_value = "target/e2e", value_name = "DIR")]
    pub(crate) output: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    /// A kind cluster of its own: one control plane, two workers
    Kind,
    /// The cluster of the current kubeconfig context; what needs its nodes is skipped
    Existing,
}

/// A preset by the name that the operator's `--preset` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preset {
    /// 5 s, 3 s, 1 s
    Fast,
    /// 15 s, 10 s, 2 s
    Standard,
}

/// LeaseDuration, RenewDeadline and RetryPeriod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timings {
    pub(crate) lease_duration: Duration,
    pub(crate) renew_deadline: Duration,
    pub(crate) retry_period: Duration,
}

impl Preset {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Standard => "standard",
        }
    }

    pub(crate) fn timings(self) -> Timings {
        let (lease, renew, retry) = match self {
            Self::Fast => (5, 3, 1),
            Self::Standard => (15, 10, 2),
        };
        Timings {
            lease_duration: Duration::from_secs(lease),
            renew_deadline: Duration::from_secs(renew),
            retry_period: Duration::from_secs(retry),
        }
    }
}

impl Timings {
    /// From the fault to the next valid holder at most.
    pub(crate) fn bound(self) -> Duration {
        self.lease_duration + self.retry_period
    }

    /// How long a request may be on its way: what the promise assumes until the API server itself fences.
    pub(crate) fn transit(self) -> Duration {
        self.lease_duration.saturating_sub(self.renew_deadline)
    }
}

impl Options {
    /// Whether a drill of this name was asked for.
    pub(crate) fn chooses(&self, drill: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|text| drill.contains(text.trim()))
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    parts.map(|(name, value)| (name.into(), value.into())).ok_or_else(|| "write it as NAME=VALUE".to_owned())
}
