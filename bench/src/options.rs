//! What can be chosen.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::harness::Limits;
use crate::subject::{Kind, Subject};

/// Measures on a kube-apiserver of its own what the operator costs, beside operators on controller-runtime.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// The operator's program, as released
    #[arg(long, global = true, hide = true)]
    pub(crate) operator: Option<PathBuf>,
    /// The program of the operators on controller-runtime
    #[arg(long, global = true, hide = true)]
    pub(crate) peer: Option<PathBuf>,
    /// The program that goes through a curve in virtual time
    #[arg(long, global = true, hide = true)]
    pub(crate) curve: Option<PathBuf>,
    /// Which commit the operator was built from
    #[arg(long, global = true, hide = true, default_value = "unknown")]
    pub(crate) commit: String,
    /// Say what is wrong with the arguments, and no more
    #[arg(long, global = true, hide = true)]
    pub(crate) check_only: bool,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Count the requests that a new resource costs, an edit, and a takeover of resources that have not changed
    Requests(Work),
    /// Measure how many new resources a second are acted on, and what that takes of the API server
    Throughput {
        #[command(flatten)]
        work: Work,
        /// How often each operator is measured, in turn
        #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// Measure what many replicas with many shards take while there is nothing to do
    Idle {
        #[command(flatten)]
        fleet: Fleet,
        /// For how long
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        seconds: u64,
        #[command(flatten)]
        common: Common,
    },
    /// Make many resources, kill one of many replicas, and see that its shards are held again within the bound
    Scale {
        /// How many resources
        #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        resources: u32,
        #[command(flatten)]
        fleet: Fleet,
        #[command(flatten)]
        common: Common,
    },
    /// Let replicas end by SIGTERM, by SIGKILL and in a restart in place, and measure until others have reconciled what was theirs
    Handover {
        /// How many resources
        #[arg(long, default_value_t = 300, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        resources: u32,
        /// Which operators, with how many replicas
        #[arg(long, value_delimiter = ',', default_value = "ours:3,best:3", value_name = "NAME[:N]")]
        subjects: Vec<Subject>,
        /// How often each operator is measured, in turn
        #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// How often a replica ends by SIGTERM in each round
        #[arg(long, default_value_t = 12, value_name = "N")]
        terminated: u32,
        /// How often by SIGKILL
        #[arg(long, default_value_t = 3, value_name = "N")]
        killed: u32,
        /// How often by SIGKILL with another process in the same Pod at once
        #[arg(long, default_value_t = 3, value_name = "N")]
        restarted: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Change the number of shards while resources are edited, and measure how long the edits wait
    LayoutChange {
        /// How many resources
        #[arg(long, default_value_t = 3000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        resources: u32,
        /// The number of shards to begin with, and those to change to
        #[arg(long, value_delimiter = ',', default_value = "8,32,8,32,8", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        shards: Vec<u16>,
        /// How many replicas
        #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
        replicas: u32,
        /// How many resources are edited a second
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        edits: u32,
        #[command(flatten)]
        common: Common,
    },
    /// In virtual time: how much faster more replicas get through reconciles that wait for something slow
    ScaleOut {
        #[command(flatten)]
        sizes: Sizes,
        #[command(flatten)]
        common: Common,
    },
}

/// How many replicas share how many shards.
#[derive(Args)]
pub(crate) struct Fleet {
    /// How many replicas
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) replicas: u32,
    /// How many shards
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) shards: u16,
}

impl Fleet {
    pub(crate) fn subject(&self) -> Subject {
        Subject { kind: Kind::Ours, replicas: self.replicas, shards: Some(self.shards) }
    }
}

/// Each is combined with each.
#[derive(Args)]
pub(crate) struct Sizes {
    /// How many resources
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000", value_name = "N")]
    pub(crate) resources: Vec<u32>,
    /// How many replicas; the first is what the others are compared with
    #[arg(long, value_delimiter = ',', default_value = "1,2,5,10,20", value_name = "N")]
    pub(crate) replicas: Vec<u32>,
    /// How many shards
    #[arg(long, value_delimiter = ',', default_value = "64,256", value_name = "N")]
    pub(crate) shards: Vec<u16>,
}

/// What is made, and of whom it is measured.
#[derive(Args)]
pub(crate) struct Work {
    /// How many resources
    #[arg(long, default_value_t = 1500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) resources: u32,
    /// Which operators, with how many replicas
    #[arg(long, value_delimiter = ',', default_value = "ours,ours:3,scaffold,best", value_name = "NAME[:N]")]
    pub(crate) subjects: Vec<Subject>,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args)]
pub(crate) struct Common {
    /// How long nothing may be asked for until something counts as over, in seconds
    #[arg(long, default_value_t = 4, value_name = "SECONDS")]
    pub(crate) quiet: u64,
    /// How long a phase may take, in seconds
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    pub(crate) within: u64,
    /// Where the figures go, as JSON; by default a file of the name of the verb in target/bench
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the table into docs/performance.md
    #[arg(long)]
    pub(crate) write: bool,
}

impl Common {
    pub(crate) fn limits(&self) -> Limits {
        Limits { quiet: Duration::from_secs(self.quiet), within: Duration::from_secs(self.within) }
    }
}
