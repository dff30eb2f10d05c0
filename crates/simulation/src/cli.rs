//! What can be asked for.

mod attempt;
mod commit;
mod docs;
mod expected;
mod failure;
mod fixed;
mod many;
mod mutants;
mod one;
mod pool;
mod progress;
mod summary;
mod tables;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Deterministic simulation of a sharded operator: whole replicas under seeded fault schedules, in virtual time.
#[derive(Parser)]
#[command(name = "simulation", version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run one schedule in this process and print its report as one line of JSON
    One(one::OneOptions),
    /// Run many schedules, each in a process of its own, and say what came of them
    Many(many::ManyOptions),
    /// Break one rule after another on purpose and see that each is noticed
    Mutants(mutants::MutantsOptions),
    /// Write the measured tables of docs/simulation.md anew
    Docs(docs::DocsOptions),
}

/// Does what was asked for; whether nothing was wrong with what was run.
pub(crate) fn run() -> Result<bool> {
    // Whoever runs one schedule seals the process: nothing may be drawn from the operating system before.
    match Cli::parse().verb {
        Verb::One(options) => one::run(&options),
        Verb::Many(options) => wait_for(many::run(&options)),
        Verb::Mutants(options) => wait_for(mutants::run(&options)),
        Verb::Docs(options) => wait_for(docs::run(&options)),
    }
}

fn wait_for<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no runtime could be started for the child processes")?.block_on(work)
}
