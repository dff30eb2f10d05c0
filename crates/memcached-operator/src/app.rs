//! The wiring: settings in, a running replica out.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use http::HeaderValue;
use http::header::USER_AGENT;
use prometheus_client::registry::Registry;
use shard_router::{Metrics, Readiness, RunError};

use crate::admin::{Admin, AdminError};
use crate::cli::{PRODUCT, RunArgs, Settings, Stop};
use crate::reconcile::{self, MemcachedReconciler};
use crate::{signals, telemetry};

/// Why a replica ended without having been asked to.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is neither a kubeconfig nor a service account.
    #[error("no API server is configured ({0}); set KUBECONFIG, or run in a Pod with a service account")]
    Config(#[from] kube::config::InferConfigError),
    /// The process cannot listen on an address.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(#[source] std::io::Error),
    /// The shard router could not start.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs a replica until a signal asks it to stop. Errors are printed on stderr. The exit code is 2 for invalid settings
/// and 1 for all other errors.
pub fn run(args: &RunArgs) -> ExitCode {
    if let Err(error) = telemetry::init(args.log_format, &args.log_level) {
        return Stop { text: format!("{error}\n"), exit_code: 2 }.print();
    }
    let settings = match Settings::new(args) {
        Ok(settings) => settings,
        Err(error) => return Stop::from(error).print(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the runtime threads could not be started: {error}")),
    };
    match runtime.block_on(replica(args, settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

async fn replica(args: &RunArgs, settings: Settings) -> Result<(), AppError> {
    let Settings { options, warnings } = settings;
    let identity = options.elections.identity.to_string();
    tracing::info!(replica = identity, version = PRODUCT, shards = %args.shards, "starting");
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let stop = signals::listen().map_err(AppError::Signals)?;
    let mut config = kube::Config::infer().await?;
    // The router gives its own clients a finer one; this is for all the others.
    if let Ok(user_agent) = HeaderValue::from_str(&format!("{PRODUCT} ({identity})")) {
        config.headers.push((USER_AGENT, user_agent));
    }

    let mut registry = Registry::default();
    let app = reconcile::operator(config, options, MemcachedReconciler::new(&identity))
        .metrics(Metrics::register(&mut registry));
    let probe = app.readiness();
    let readiness = Arc::new(move || match probe.get() {
        Readiness::Ready => Ok(()),
        Readiness::NotReady { because } => Err(because),
    });
    // Kept until the end: a draining replica can still be watched.
    let _admin = Admin::start(args, registry, readiness).await?;

    app.run(stop.cancelled_owned()).await?;
    tracing::info!("stopped");
    Ok(())
}

fn failed(message: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {message}");
    ExitCode::FAILURE
}
