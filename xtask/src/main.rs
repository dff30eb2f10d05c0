//! Every chore of this workspace: one verb is one CI step is one line in the README.

mod cargo;
mod demo;
mod outcome;
mod steps;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// Every chore of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// See three replicas share the shards of a Memcached fleet on a real API server, and take over from each
    /// other
    Demo(demo::DemoOptions),
    /// Run everything: lints, docs, generated files, all tests; what cannot run here is listed with its
    /// reason
    Test(suite::TestOptions),
    /// Check the formatting (cargo fmt --check)
    Fmt,
    /// Prove that the core of lease-core needs neither tokio nor kube
    Purity,
    /// Run clippy on every target with every feature; warnings are errors
    Lint,
    /// Build the documentation; warnings are errors
    Doc,
    /// Check bans, licences and sources of dependencies with cargo-deny
    Deny,
    /// Write the files that are generated from code (deploy/crd.yaml)
    Generate {
        /// Change nothing; fail if a committed file is out of date
        #[arg(long)]
        check: bool,
    },
    /// Run the unit tests and the examples in the documentation
    Unit,
    /// Break each rule on purpose and see that a test notices
    Mutants,
    /// Run the tests that need a real API server
    ApiServer,
}

fn main() -> ExitCode {
    // What kube-testkit warns of. kube itself calls every failed request an error, also those that are
    // expected while an API server starts; RUST_LOG asks for them.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("kube_testkit=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let result = match Cli::parse().verb {
        Verb::Demo(options) => demo::run(&options),
        Verb::Test(options) => suite::run(&options),
        Verb::Fmt => suite::run_one("fmt"),
        Verb::Purity => suite::run_one("purity"),
        Verb::Lint => suite::run_one("lint"),
        Verb::Doc => suite::run_one("doc"),
        Verb::Deny => suite::run_one("deny"),
        Verb::Generate { check: true } => suite::run_one("generate"),
        Verb::Generate { check: false } => steps::generate::write(),
        Verb::Unit => suite::run_one("unit"),
        Verb::Mutants => suite::run_one("mutants"),
        Verb::ApiServer => suite::run_one("api-server"),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
