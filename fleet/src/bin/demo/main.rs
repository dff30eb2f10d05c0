//! `cargo xtask demo`: three replicas share the shards of a Memcached fleet; one is killed, one is terminated
//! gently, and what happened is judged. The API server is the embedded one or, with `--cluster`, a real one.

mod cluster_kind;
mod fleet;
mod harness;
mod installation;
mod json_file;
mod judgement;
mod mutant;
mod preset;
mod records;
mod resources;
mod scenario;
mod screen;
mod takeover;
mod view;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use cluster_kind::ClusterKind;
use mutant::Mutant;
use preset::Preset;

/// Run three replicas that share the shards of an operator and take over from each other
#[derive(Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo", version)]
pub(crate) struct DemoOptions {
    /// The operator's program; `cargo xtask demo` builds it
    #[arg(long, value_name = "FILE", hide = true)]
    operator: Option<PathBuf>,
    /// Only check the other arguments
    #[arg(long, hide = true)]
    check_only: bool,
    /// Number of operator processes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(2..=16))]
    replicas: u32,
    /// Number of shards
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    shards: u32,
    /// Number of Memcached resources
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    resources: u32,
    /// The timings of leader election
    #[arg(long, value_enum, default_value_t = Preset::Fast)]
    preset: Preset,
    /// Which API server to use
    #[arg(long, value_enum, default_value_t = ClusterKind::Embedded)]
    cluster: ClusterKind,
    /// Write the result to this file as well; of a demo that fails or is ended, why
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Break a rule on purpose, such as skip-drain, and slow reconciles down, so that the checker reports it; an unknown
    /// name prints the list of names
    #[arg(long, value_name = "NAME", value_parser = Mutant::parser(), hide_possible_values = true)]
    mutant: Option<Mutant>,
    /// Keep everything running after the verdict, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    // What kube-testkit warns of. kube itself calls every failed request an error, also those that are expected while an API server
    // starts; RUST_LOG asks for them.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("kube_testkit=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let options = DemoOptions::parse();
    if options.check_only {
        return ExitCode::SUCCESS;
    }
    let outcome = tokio::runtime::Runtime::new()
        .context("no async runtime could be started")
        .and_then(|runtime| runtime.block_on(scenario::run_scenario(&options)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
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
