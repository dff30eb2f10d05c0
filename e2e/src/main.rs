//! Drills on a cluster: the operator installed as users install it, in real Pods on real nodes, while things happen to it.
//! `cargo xtask e2e --help` says what can be chosen.

mod cluster;
mod collected;
mod drills;
mod harness;
mod images;
mod judge;
mod operator;
mod options;
mod release;
mod report;
mod resources;
mod run;
mod screen;
mod teardown;
mod tool;
mod traffic;
mod usage;
mod wait;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use options::Options;

fn main() -> ExitCode {
    // kube itself calls every failed request an error, also those that are expected here; RUST_LOG asks for them.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let options = Options::parse();
    if options.list {
        for drill in &drills::ALL {
            println!("{:<16} {}", drill.name, drill.about);
        }
        return ExitCode::SUCCESS;
    }
    let result = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run::run(options)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
