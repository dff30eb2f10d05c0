//! What can go wrong around a control plane.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::choice::{BackendChoice, UnknownBackend};

/// A control plane could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This machine lacks what the backend needs. Tests skip on this, and on nothing else.
    #[error("the {backend} backend is not possible here: {reason}")]
    Unavailable {
        /// Which backend.
        backend: BackendChoice,
        /// What is missing, and how to mend it.
        reason: String,
    },
    /// No backend is possible; `auto` tried them all.
    #[error("no backend is possible here: {}", .reasons.join("; "))]
    NoneAvailable {
        /// Why not, for each backend tried.
        reasons: Vec<String>,
    },
    /// The named backend does not exist.
    #[error(transparent)]
    UnknownBackend(#[from] UnknownBackend),
    /// A kubeconfig's context has not been released for tests.
    #[error(
        "refusing to run tests against the context {context:?}, as it may be a cluster that matters; \
         if it is meant for this, set KUBE_TESTKIT_ALLOW_CONTEXT={context}"
    )]
    ContextNotAllowed {
        /// The context's name.
        context: String,
    },
    /// A program could not be built.
    #[error("building {program} failed at `{step}`:\n{output}")]
    Build {
        /// What was to be built.
        program: String,
        /// The command that failed.
        step: String,
        /// The end of its output.
        output: String,
    },
    /// The control plane was started and did not become ready in time.
    #[error("waited {waited:?} for {awaited}: {last}\nend of {}:\n{tail}", .log.display())]
    NotReady {
        /// What was awaited.
        awaited: String,
        /// For how long.
        waited: Duration,
        /// What was seen last.
        last: String,
        /// The log whose end is shown.
        log: PathBuf,
        /// The end of the log.
        tail: String,
    },
    /// A file or process operation failed.
    #[error("could not {action} {}: {source}", .path.display())]
    Io {
        /// What was attempted, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("could not make a certificate: {0}")]
    Pki(#[source] rcgen::Error),
    /// Docker refused something.
    #[error("docker: {0}")]
    Docker(String),
    /// A kubeconfig could not be read.
    #[error("could not read the kubeconfig: {0}")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// A client could not be made, or its request failed.
    #[error("the API server could not be asked: {0}")]
    Client(#[source] Box<kube::Error>),
}

impl StartError {
    /// Whether the only cause is that something is missing on this machine, which is a reason to skip a test instead of failing it.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NoneAvailable { .. })
    }
}

/// An operation on a running control plane failed.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// This backend cannot do that to its API server.
    #[error("the {backend} backend cannot {operation}; run this with {instead}")]
    Unsupported {
        /// Which backend.
        backend: BackendChoice,
        /// What was asked for.
        operation: &'static str,
        /// The backend that can.
        instead: &'static str,
    },
    /// A signal did not reach the API server.
    #[error(transparent)]
    Signal(#[from] crate::guard::SignalError),
    /// The API server did not come back.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Docker refused something.
    #[error("docker: {0}")]
    Docker(String),
}

pub(crate) fn io_error(action: &'static str, path: &Path, source: io::Error) -> StartError {
    StartError::Io { action, path: path.to_owned(), source }
}

/// The last lines of a log, for an error message; why it cannot be read, if so.
pub fn tail_of(log: &Path) -> String {
    const LINES: usize = 15;
    let text = match std::fs::read(log) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("(unreadable: {error})"),
    };
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
