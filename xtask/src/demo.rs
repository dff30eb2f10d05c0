//! `cargo xtask demo`: three replicas share the shards of a Memcached fleet; one is killed, one is terminated
//! gently, and what happened is judged. The API server is the embedded one or, with `--cluster`, a real one.

mod cluster_kind;
mod fleet;
mod installation;
mod judgement;
mod leases;
mod preset;
mod records;
mod resources;
mod scenario;
mod screen;
mod stage;
mod takeover;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::cargo::{Features, build_operator};
use cluster_kind::ClusterKind;
use preset::Preset;

/// What to show.
#[derive(Args, Clone)]
pub(crate) struct DemoOptions {
    /// How many operator processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=16))]
    replicas: u32,
    /// How many shards they share
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    shards: u32,
    /// How many Memcached resources
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    resources: u32,
    /// The timings of the election
    #[arg(long, value_enum, default_value_t = Preset::Fast)]
    preset: Preset,
    /// Where the API server comes from
    #[arg(long, value_enum, default_value_t = ClusterKind::Embedded)]
    cluster: ClusterKind,
    /// Write the result to this file as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Break a rule of shard-router on purpose, such as skip-drain, and slow reconciles down, to see the
    /// checker notice
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Stay up after the verdict, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. Whatever it started has ended when this returns.
pub(crate) fn run(options: &DemoOptions) -> Result<()> {
    println!("Building the operator …");
    let features = if options.mutant.is_some() { Features::All } else { Features::Default };
    let operator = build_operator(features)?;
    let runtime = tokio::runtime::Runtime::new().context("no async runtime could be started")?;
    runtime.block_on(scenario::play(options, &operator))
}

/// This process was asked to end.
#[derive(Debug, thiserror::Error)]
#[error("ended by {0}; nothing was left running")]
struct Interrupted(&'static str);

/// Runs `future` unless this process is asked to end first.
async fn unless_interrupted<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM could not be listened for")?;
    tokio::select! {
        result = future => result,
        _ = tokio::signal::ctrl_c() => Err(Interrupted("Ctrl-C").into()),
        _ = terminate.recv() => Err(Interrupted("SIGTERM").into()),
    }
}
