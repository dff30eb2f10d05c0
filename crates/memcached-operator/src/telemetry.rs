//! Logs, on stderr: stdout may carry the reconcile records.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::cli::LogFormat;

/// The filter cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "error: --log-level is {text:?}, which is no filter ({source}); write it like info or info,kube=debug"
)]
pub struct FilterError {
    text: String,
    source: ParseError,
}

/// Starts logging; once per process.
///
/// # Errors
/// If the filter cannot be understood.
pub fn init(format: LogFormat, filter: &str) -> Result<(), FilterError> {
    let env_filter =
        EnvFilter::try_new(filter).map_err(|source| FilterError { text: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(env_filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
    Ok(())
}
