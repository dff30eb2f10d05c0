//! Every chore of this workspace: one verb is one CI step is one line in the README.

mod cargo;
mod go;
mod status;
mod steps;
mod suite;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Every chore of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run three replicas that share the shards of an operator and take over from each other; `cargo xtask demo --help` lists the
    /// options
    #[command(disable_help_flag = true)]
    Demo {
        /// Passed on
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Run everything: lints, docs, generated files, all tests; list what cannot run on this machine, with the
    /// reason
    Test(suite::TestOptions),
    /// Check the formatting (cargo fmt --check)
    Fmt,
    /// Check that no modules import each other in a circle
    Layers,
    /// Prove that the core of lease-core needs neither tokio nor kube
    Purity,
    /// Run clippy on every target with every feature; warnings are errors
    Lint,
    /// Build the documentation; warnings are errors
    Doc,
    /// Build the book with mdbook, and check that every link in it leads somewhere
    Book {
        /// Also write what is generated in its pages
        #[arg(long)]
        write: bool,
    },
    /// Check bans, licences and sources of dependencies with cargo-deny
    Deny,
    /// Package the crates that are meant to be published; check that crates of users compile with the packages, with another version of
    /// Kubernetes and with each combination of features; and check that the minimum Rust version is the tested one
    Package,
    /// Compare the public API with that of the last release, by cargo-semver-checks
    Semver,
    /// Check the alerts and their tests with promtool; with --metrics, check that alerts and panels find their series in
    /// scraped metrics
    Alerts(steps::alerts::AlertsOptions),
    /// Write the files that are generated from code (deploy/crd.yaml)
    Generate {
        /// Change nothing; fail if a committed file is out of date
        #[arg(long)]
        check: bool,
    },
    /// Check the Helm chart: lint, unit tests, generated files, admission by a real API server
    Chart {
        /// Check nothing; write the chart's README from the comments in its values.yaml
        #[arg(long)]
        write: bool,
    },
    /// Generate the embedded API server's schemas of built-in kinds from the OpenAPI documents of a real one
    Schemas,
    /// Run the unit tests and the examples in the documentation
    Unit,
    /// Break each rule on purpose and check that a test fails
    Mutants,
    /// Run whole replicas under seeded fault schedules in virtual time, and check what they did
    Sim(steps::simulation::SimOptions),
    /// Check every order of steps and faults of layout changes, within bounds
    Model(steps::model::ModelOptions),
    /// Run the tests that need a real API server
    ApiServer,
    /// Build the operator's image: a static binary and nothing else
    Image(steps::image::ImageOptions),
    /// Measure what the operator costs the API server, compared with operators on controller-runtime; `cargo xtask bench --help` lists the
    /// options
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Run the drills on a kind cluster and check the results; `cargo xtask e2e --help` lists the options
    #[command(disable_help_flag = true)]
    E2e {
        /// Passed on
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Demo { args } => steps::demo::run(&args),
        Verb::Test(options) => suite::run(&options),
        Verb::Fmt => suite::run_one("fmt"),
        Verb::Layers => suite::run_one("layers"),
        Verb::Purity => suite::run_one("purity"),
        Verb::Lint => suite::run_one("lint"),
        Verb::Doc => suite::run_one("doc"),
        Verb::Book { write: false } => suite::run_one("book"),
        Verb::Book { write: true } => steps::book::write(),
        Verb::Deny => suite::run_one("deny"),
        Verb::Package => suite::run_one("package"),
        Verb::Semver => steps::semver::run(),
        Verb::Alerts(options) if options.metrics.is_empty() => suite::run_one("alerts"),
        Verb::Alerts(options) => steps::alerts::evaluate(&options),
        Verb::Generate { check: true } => suite::run_one("generate"),
        Verb::Generate { check: false } => steps::generate::write(),
        Verb::Chart { write: false } => suite::run_one("chart"),
        Verb::Chart { write: true } => steps::chart::write(),
        Verb::Schemas => steps::schemas::write(),
        Verb::Unit => suite::run_one("unit"),
        Verb::Mutants => suite::run_one("mutants"),
        Verb::Sim(options) => steps::simulation::run_verb(&options),
        Verb::Model(options) => steps::model::run_verb(&options),
        Verb::ApiServer => suite::run_one("api-server"),
        Verb::Image(options) => steps::image::run(&options),
        Verb::Bench { args } => steps::bench::run(&args),
        Verb::E2e { args } => steps::e2e::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
