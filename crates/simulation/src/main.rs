//! Runs schedules: `one` in this process, or `many`, each in a process of its own. See docs/simulation.md.

mod cli;

use std::process::ExitCode;

/// A quarter of a schedule's time goes into JSON values, which are made and dropped one by one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
