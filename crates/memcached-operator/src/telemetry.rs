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

/// What kube logs by itself at `warn` is left out: the whole body of an answer that it cannot decode, with the specs of all
/// tenants, and each failed watch, which the shard router reports in a limited way.
const WITHOUT_BODIES: &str = "kube_client=error,kube_runtime=error";

/// The filter in full: kube's own lines only if the text names them, as in `info,kube=debug`.
fn in_full(filter: &str) -> String {
    if filter.contains("kube") || filter == "off" {
        filter.to_owned()
    } else {
        format!("{filter},{WITHOUT_BODIES}")
    }
}

/// Starts logging; once per process.
///
/// # Errors
/// If the filter cannot be understood.
pub fn init(format: LogFormat, filter: &str) -> Result<(), FilterError> {
    let env_filter = EnvFilter::try_new(in_full(filter))
        .map_err(|source| FilterError { text: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(env_filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::try_new(in_full(filter)).unwrap())
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "kube_client::client", "the body");
            tracing::warn!(target: "kube_runtime::watcher", "the list");
            tracing::warn!("our own");
        });
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_body_of_an_answer_is_logged_unless_it_is_asked_for() {
        for filter in ["info", "debug", "warn"] {
            let log = logged(filter);
            assert!(log.contains("our own"), "{filter}: {log}");
            assert!(!log.contains("the body") && !log.contains("the list"), "{filter}: {log}");
        }
        assert!(logged("info,kube_client=debug").contains("the body"));
    }
}
