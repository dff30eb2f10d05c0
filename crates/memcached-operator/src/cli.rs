//! The command line. Every flag can also be set by an environment variable. An invalid command line is answered with one sentence.

mod args;
mod duration;
mod settings;
mod status_args;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use args::{FencingMode, LogFormat, Preset, RunArgs};
pub use duration::parse_duration;
pub use settings::{Settings, UsageError};
pub use status_args::{Output, StatusArgs};

/// The product name in the user agent and in the version.
pub const PRODUCT: &str = concat!("memcached-operator/", env!("CARGO_PKG_VERSION"));

/// The LeaderElectionID, unless a flag names another: `run` and `status` have to mean the same Leases.
const DEFAULT_LEADER_ELECTION_ID: &str = "memcached.cache.example.com";

#[derive(Debug, Parser)]
#[command(
    name = "memcached-operator",
    version,
    about = "An operator for Memcached; several replicas share the work",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator. The default
    Run(Box<RunArgs>),
    /// Print the custom resource definition as YAML
    Crd,
    /// Print the definition of the ownership table as YAML, for --fencing
    OwnershipCrd,
    /// Print the admission policies for --fencing as YAML, with placeholders that the chart replaces
    FencingPolicies,
    /// Print the maximum duration of a shutdown with these settings, in milliseconds. The Pod's terminationGracePeriodSeconds
    /// must be longer
    ShutdownLimit(Box<RunArgs>),
    /// Print which replica holds which shard, since when and why, what a change of the layout waits for, and the replicas. The
    /// exit code is 0 if every shard has a holder, 1 if some shard has none, and 2 if that could not be found out
    Status(StatusArgs),
}

/// What `kubectl shards` is: the command `status`.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl shards",
    version,
    about = "Print which replica of the Memcached operator holds which shard, since when and why. The exit code is 0 if every shard has a holder, 1 if some shard has none, and 2 if that could not be found out"
)]
struct Plugin {
    #[command(flatten)]
    status: StatusArgs,
}

/// The command.
#[derive(Debug)]
pub enum Task {
    /// Run the operator.
    Run(Box<RunArgs>),
    /// Print the custom resource definition.
    Crd,
    /// Print the definition of the ownership table.
    OwnershipCrd,
    /// Print the admission policies for fencing.
    FencingPolicies,
    /// Print the maximum duration of a shutdown.
    ShutdownLimit(Box<RunArgs>),
    /// Print the status.
    Status(StatusArgs),
}

/// What a program is called if it is `kubectl shards`.
const PLUGIN: &str = "kubectl-shards";

/// Parses a command line. Flags that are missing are taken from the environment. If the program is called `kubectl-shards`, as kubectl calls its plugins, the
/// command is `status`.
///
/// # Errors
/// What to print and the exit code: 2 for an invalid command line, 0 for `--help` and `--version`.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Task, Stop> {
    let args: Vec<OsString> = args.into_iter().collect();
    let name = args.first().and_then(|program| Path::new(program).file_stem());
    if name.is_some_and(|name| name == PLUGIN) {
        let plugin = Plugin::try_parse_from(args).map_err(|error| Stop::new(&error, "kubectl shards"))?;
        return Ok(Task::Status(plugin.status));
    }
    match Cli::try_parse_from(args).map_err(|error| Stop::new(&error, "memcached-operator"))? {
        Cli { command: Some(Command::Crd), .. } => Ok(Task::Crd),
        Cli { command: Some(Command::OwnershipCrd), .. } => Ok(Task::OwnershipCrd),
        Cli { command: Some(Command::FencingPolicies), .. } => Ok(Task::FencingPolicies),
        Cli { command: Some(Command::ShutdownLimit(run)), .. } => Ok(Task::ShutdownLimit(run)),
        Cli { command: Some(Command::Status(status)), .. } => Ok(Task::Status(status)),
        Cli { command: Some(Command::Run(run)), .. } => Ok(Task::Run(run)),
        Cli { command: None, run } => Ok(Task::Run(Box::new(run))),
    }
}

/// A text to print instead of running a command.
#[derive(Debug)]
pub struct Stop {
    /// The text.
    pub text: String,
    /// The exit code, 0 or 2.
    pub exit_code: u8,
}

impl Stop {
    fn new(error: &clap::Error, program: &str) -> Self {
        let rendered = error.render().to_string();
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return Self { text: rendered, exit_code: 0 };
        }
        // The first paragraph is the sentence; usage and tips would bury it.
        let first = rendered.split("\n\n").next().unwrap_or_default();
        let sentence = first.split_whitespace().collect::<Vec<_>>().join(" ");
        Self { text: format!("{sentence}; see {program} --help\n"), exit_code: 2 }
    }
}

impl Stop {
    /// Prints the text on stdout or stderr, and returns the exit code.
    pub fn print(&self) -> ExitCode {
        if self.exit_code == 0 {
            print!("{}", self.text);
        } else {
            eprint!("{}", self.text);
        }
        ExitCode::from(self.exit_code)
    }
}

impl From<UsageError> for Stop {
    fn from(error: UsageError) -> Self {
        Self { text: format!("error: {error}; see memcached-operator --help\n"), exit_code: 2 }
    }
}

#[cfg(test)]
mod tests;
