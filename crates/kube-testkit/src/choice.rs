//! Backends by name.

use std::fmt;
use std::str::FromStr;

/// A backend, as named by `KUBE_TESTKIT_BACKEND` and in command lines.
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
    pub fn from_env() -> Result<Self, UnknownBackend> {
        match std::env::var("KUBE_TESTKIT_BACKEND") {
            Ok(name) if !name.is_empty() => name.parse(),
            _ => Ok(Self::Auto),
        }
    }
}

impl FromStr for BackendChoice {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        match name {
            "auto" => Ok(Self::Auto),
            "local" => Ok(Self::Local),
            "testcontainers" => Ok(Self::Testcontainers),
            "existing" => Ok(Self::Existing),
            "embedded" => Ok(Self::Embedded),
            _ => Err(UnknownBackend { name: name.to_owned() }),
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

/// There is no backend of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no backend {name:?}; set KUBE_TESTKIT_BACKEND to one of: {}", BackendChoice::NAMES.join(", "))]
pub struct UnknownBackend {
    /// What was asked for.
    pub name: String,
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
