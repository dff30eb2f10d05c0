//! The ways to get an API server.

pub(crate) mod auto;
pub(crate) mod embedded;
pub(crate) mod existing;
pub(crate) mod local;
pub(crate) mod testcontainers;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use existing::ExistingOptions;
use futures::future::BoxFuture;
pub use local::Backup;

use crate::error::{OperationError, StartError};

/// What a [`Cluster`](crate::Cluster) asks of the thing that runs its API server.
///
/// Implementations end everything they started when they are dropped, blocking until it is gone.
pub trait Backend: Send + Sync {
    /// Which one this is.
    fn choice(&self) -> BackendChoice;

    /// Where the API server listens.
    fn server(&self) -> http::Uri;

    /// The audit log on this machine's file system, if one is written.
    fn audit_log(&self) -> Option<PathBuf>;

    /// The API server's own log on this machine's file system, if it can be had.
    fn server_log(&self) -> Option<PathBuf>;

    /// Why the API server cannot become ready any more, if that is known.
    fn dead(&self) -> BoxFuture<'_, Option<String>>;

    /// Kills the API server without warning and starts it again on the same data and port; does not wait for it.
    fn restart(&self) -> BoxFuture<'_, Result<(), OperationError>>;

    /// Stops the API server's process where it stands: connections stay open, nothing is answered.
    fn pause(&self) -> BoxFuture<'_, Result<(), OperationError>>;

    /// Lets a paused API server go on.
    fn resume(&self) -> BoxFuture<'_, Result<(), OperationError>>;

    /// Keeps the state of etcd as it is now, while it runs.
    fn back_up(&self) -> BoxFuture<'_, Result<Backup, OperationError>> {
        let backend = self.choice();
        Box::pin(std::future::ready(Err(unsupported(backend, "take a backup of its etcd"))))
    }

    /// Kills the API server and etcd, waits, and starts both again on what the backup has; does not wait for them.
    fn restore(&self, _backup: Backup, _down_for: Duration) -> BoxFuture<'_, Result<(), OperationError>> {
        let backend = self.choice();
        Box::pin(std::future::ready(Err(unsupported(backend, "restore its etcd from a backup"))))
    }
}

fn unsupported(backend: BackendChoice, operation: &'static str) -> OperationError {
    OperationError::Unsupported { backend, operation, instead: "local" }
}

/// A backend by name, as `KUBE_TESTKIT_BACKEND` and command lines give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum BackendChoice {
    /// What this machine has: programs at hand, else docker, else a build.
    #[default]
    Auto,
    /// `etcd` and `kube-apiserver` as child processes.
    Local,
    /// `etcd` and `kube-apiserver` from their official images, in docker.
    Testcontainers,
    /// A cluster that is there already, by its kubeconfig.
    Existing,
    /// [An API server in memory](embedded_apiserver), within this process and without access control. Never taken by `auto`.
    Embedded,
}

impl BackendChoice {
    /// The names that [`FromStr`] takes.
    pub const NAMES: [&str; 5] = ["auto", "local", "testcontainers", "existing", "embedded"];

    /// The choice made by `KUBE_TESTKIT_BACKEND`, or [`Self::Auto`] where it is not set.
    ///
    /// # Errors
    ///
    /// `KUBE_TESTKIT_BACKEND` names no backend.
    pub fn from_env() -> Result<Self, StartError> {
        match std::env::var("KUBE_TESTKIT_BACKEND") {
            Ok(name) if !name.is_empty() => name.parse(),
            _ => Ok(Self::Auto),
        }
    }
}

impl FromStr for BackendChoice {
    type Err = StartError;

    fn from_str(name: &str) -> Result<Self, StartError> {
        match name {
            "auto" => Ok(Self::Auto),
            "local" => Ok(Self::Local),
            "testcontainers" => Ok(Self::Testcontainers),
            "existing" => Ok(Self::Existing),
            "embedded" => Ok(Self::Embedded),
            _ => Err(StartError::UnknownBackend { name: name.to_owned() }),
        }
    }
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Local => "local",
            Self::Testcontainers => "testcontainers",
            Self::Existing => "existing",
            Self::Embedded => "embedded",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in BackendChoice::NAMES {
            assert_eq!(name.parse::<BackendChoice>().unwrap().to_string(), name);
        }
        let error = "minikube".parse::<BackendChoice>().unwrap_err().to_string();
        assert!(error.contains("minikube") && error.contains("testcontainers"), "{error}");
    }
}
