//! `layout-model [--full]`: checks every state within the bounds, and prints how many there are.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use layout_model::bounds::{self, Bounds};
use layout_model::check::{self, Outcome};

/// Checks every order of steps and faults of layout changes, within bounds
#[derive(Parser)]
struct Cli {
    /// Check the larger bounds as well; that takes long, and some gigabytes of memory
    #[arg(long)]
    full: bool,
    /// How many threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let full = if cli.full { bounds::FULL } else { &[] };
    let mut sum = 0;
    for bounds in bounds::BOUNDED.iter().chain(full) {
        let Some(states) = states_of(*bounds, cli.threads) else { return ExitCode::FAILURE };
        sum += states;
    }
    println!("{sum} states in all");
    ExitCode::SUCCESS
}

/// How many states there are, if both properties hold in each.
fn states_of(bounds: Bounds, threads: usize) -> Option<usize> {
    let started = Instant::now();
    let outcome = check::exhaustively(bounds.model(), threads);
    let took = started.elapsed().as_secs_f64();
    match outcome {
        Outcome::Holds { states, steps, depth } => {
            println!("{bounds}: {states} states, {steps} steps, {depth} deep, {took:.1} s");
            Some(states)
        }
        Outcome::Fails { property, path, .. } => {
            println!("{bounds}: it does not hold that {property}\n{path}");
            None
        }
    }
}
