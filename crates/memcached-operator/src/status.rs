//! `memcached-operator status`, which is also `kubectl shards`.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use lease_core::{LeaderElectionId, NameError};
use shard_router::Names;
use shard_router::status::{Status, StatusError, StatusReader, Verdict};

use crate::cli::{Output, StatusArgs};
use crate::crd::{DOMAIN, Memcached};

/// It could not be found out whether every shard is held.
const COULD_NOT_TELL: u8 = 2;

/// With `--watch`, how long counts of resources are used again.
const RECOUNT_AFTER: Duration = Duration::from_mins(1);

/// With `--watch`, the longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Clears the terminal.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("--leader-election-id cannot be used: {0}")]
    Id(#[from] NameError),
    #[error("the kubeconfig cannot be used: {0}; give another with --kubeconfig, or another --context")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    #[error("no API server is configured ({0}); give a --kubeconfig, or set KUBECONFIG")]
    Config(#[from] kube::config::InferConfigError),
    #[error("no client for {url} could be made: {source}; check the kubeconfig")]
    Client { url: String, source: kube::Error },
    #[error("{source} (API server {url})")]
    Status { url: String, source: StatusError },
    #[error("the status could not be printed: {0}")]
    Print(#[from] io::Error),
}

/// Prints the status. The exit code is 0 if every shard has a holder, 1 if some shard has none, and 2 if that could not be found out; then stderr says why.
pub fn run(args: &StatusArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let verdict = runtime.map_err(Error::Print).and_then(|runtime| runtime.block_on(print(args)));
    match verdict {
        Ok(Verdict::Held) => ExitCode::SUCCESS,
        Ok(Verdict::NotHeld) => ExitCode::FAILURE,
        Ok(Verdict::Unknown) => ExitCode::from(COULD_NOT_TELL),
        // Whoever read it has seen enough, such as `head`.
        Err(Error::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            ExitCode::from(COULD_NOT_TELL)
        }
    }
}

async fn print(args: &StatusArgs) -> Result<Verdict, Error> {
    let id = LeaderElectionId::new(&args.leader_election_id)?;
    let config = config(args).await?;
    let url = config.cluster_url.to_string();
    let namespace = args.namespace.clone().filter(|name| !name.is_empty());
    let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config).map_err(|source| Error::Client { url: url.clone(), source })?;
    let mut reader =
        StatusReader::new(client, Names::new(id, DOMAIN), namespace).time_limit(args.request_timeout);
    if args.resources {
        reader = reader.kind::<Memcached>();
    }
    if args.watch {
        return watch(args, reader.recount_after(RECOUNT_AFTER), &url).await;
    }
    let status = reader.read().await.map_err(|source| Error::Status { url, source })?;
    show(args.output, &status)?;
    Ok(status.verdict())
}

async fn config(args: &StatusArgs) -> Result<Config, Error> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    match &args.kubeconfig {
        Some(file) => Ok(Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &options).await?),
        None if args.context.is_some() => Ok(Config::from_kubeconfig(&options).await?),
        None => Ok(Config::infer().await?),
    }
}

/// Goes on after failures: what is watched may be an API server that restarts.
async fn watch(args: &StatusArgs, mut reader: StatusReader, url: &str) -> Result<Verdict, Error> {
    let on_terminal = io::stdout().is_terminal() && args.output != Output::Json;
    let (mut before, mut pause): (Option<Status>, _) = (None, args.interval);
    loop {
        match reader.read().await {
            Ok(status) => {
                pause = args.interval;
                // A terminal shows how old everything is.
                if on_terminal || before.as_ref().is_none_or(|before| before.differs_from(&status)) {
                    separate(args.output, on_terminal, before.is_none())?;
                    show_line(args.output, &status)?;
                    before = Some(status);
                }
            }
            Err(source) => {
                say(&format!("error: {}; trying again", Error::Status { url: url.to_owned(), source }));
                pause = (pause * 2).clamp(Duration::from_millis(100), LONGEST_PAUSE.max(args.interval));
            }
        }
        tokio::time::sleep(pause).await;
    }
}

fn separate(output: Output, on_terminal: bool, is_first: bool) -> io::Result<()> {
    match output {
        _ if on_terminal => print_out(CLEAR),
        Output::Table | Output::Wide if !is_first => print_out("\n"),
        _ => Ok(()),
    }
}

/// Like [`show`], with JSON on one line.
fn show_line(output: Output, status: &Status) -> io::Result<()> {
    match output {
        Output::Json => print_out(&format!("{}\n", serde_json::to_string(status)?)),
        Output::Table | Output::Wide => show(output, status),
    }
}

fn show(output: Output, status: &Status) -> io::Result<()> {
    let text = match output {
        Output::Table => status.table(false),
        Output::Wide => status.table(true),
        Output::Json => format!("{}\n", serde_json::to_string_pretty(status)?),
    };
    print_out(&text)?;
    if output != Output::Json {
        status.problems.iter().for_each(|problem| say(&format!("warning: {problem}")));
    }
    Ok(())
}

fn print_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// On stderr. If nobody reads that, the exit code still tells.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
