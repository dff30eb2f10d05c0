//! Logs, on stderr: stdout may carry the reconcile records.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

use crate::cli::LogFormat;

/// The filter cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// It does not parse.
    #[error(
        "error: --log-level is {text:?}, which is no filter ({source}); write it like info or info,kube=debug"
    )]
    Malformed {
        /// As given.
        text: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A word alone is taken for a target whose lines are all logged, and nothing else is: hardly what was meant.
    #[error(
        "error: --log-level is {text:?}, and {word:?} is no level; use off, error, warn, info, debug or trace, or directives such as \
         info,kube=debug"
    )]
    NoLevel {
        /// As given.
        text: String,
        /// The part that is wrong.
        word: String,
    },
}

/// A filter that says at what level each of its targets is logged.
fn parsed(filter: &str) -> Result<EnvFilter, FilterError> {
    // Spans may have commas in their fields.
    let mut words = filter.split(',').filter(|_| !filter.contains('['));
    if let Some(word) = words.find(|word| !word.contains('=') && word.parse::<LevelFilter>().is_err()) {
        return Err(FilterError::NoLevel { text: filter.to_owned(), word: word.to_owned() });
    }
    EnvFilter::try_new(in_full(filter))
        .map_err(|source| FilterError::Malformed { text: filter.to_owned(), source })
}

/// What kube logs by itself at `warn` is left out: the whole body of an answer that it cannot decode, with the specs of all
/// tenants, and each failed watch, which the shard router reports in a limited way.
/// The verifier of certificates logs each connection that it refuses; the reason is part of what is reported of the request.
const WITHOUT_BODIES: &str = "kube_client=error,kube_runtime=error,rustls_platform_verifier=off";

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
    let env_filter = parsed(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(env_filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written is lost. To complain of it on stderr as well would panic, in whichever task logs.
        .log_internal_errors(false);
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
            .with_env_filter(parsed(filter).unwrap())
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

    #[test]
    fn a_word_that_is_no_level_is_refused_by_name() {
        for (filter, word) in [("loud", "loud"), ("info,kube", "kube")] {
            let refused = parsed(filter).unwrap_err().to_string();
            assert!(refused.contains(&format!("{word:?} is no level; use off")), "{refused}");
        }
        assert!(matches!(parsed("info,kube=loud"), Err(FilterError::Malformed { .. })));
        for filter in ["WARN", "info,kube=debug", "[reconcile{cr=a}]=trace"] {
            parsed(filter).unwrap();
        }
    }
}
