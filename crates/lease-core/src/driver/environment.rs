//! Settings from the environment of a Pod.

use std::path::Path;

use crate::identity::{EmptyIdentity, Identity};
use crate::installation::Installation;

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// The installation of a process that does not run in a Pod.
const OUTSIDE: &str = "outside-of-the-cluster";

/// The environment does not contain the namespace or the identity.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Neither the environment nor a service account contains a namespace.
    #[error(
        "LeaderElectionNamespace is not set, POD_NAMESPACE is empty and there is no service account in this \
         container; set POD_NAMESPACE by the Downward API (metadata.namespace), or LeaderElectionNamespace"
    )]
    NoNamespace,
    /// There is neither POD_NAME nor a hostname.
    #[error(transparent)]
    NoIdentity(#[from] EmptyIdentity),
}

/// The default of LeaderElectionNamespace: POD_NAMESPACE, otherwise the namespace of the mounted service account.
///
/// # Errors
///
/// If POD_NAMESPACE is not set and no service account is mounted.
pub fn namespace_from_env() -> Result<String, EnvironmentError> {
    namespace(std::env::var("POD_NAMESPACE").ok(), Path::new(NAMESPACE_FILE))
}

/// A new identity, `<POD_NAME or hostname>_<uuid>`.
///
/// # Errors
///
/// If POD_NAME is not set and the machine has no hostname.
#[expect(clippy::disallowed_methods, reason = "an identity has to be unique, and this is where it is made")]
pub fn identity_from_env() -> Result<Identity, EnvironmentError> {
    let pod = std::env::var("POD_NAME").ok().filter(|name| !name.trim().is_empty());
    let pod = pod.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
    Ok(Identity::of_pod(&pod, &uuid::Uuid::new_v4().to_string())?)
}

/// The Pod's namespace, or `outside-of-the-cluster` for a process that does not run in a Pod. So a process on a
/// laptop is not treated as a replica of the installation in the cluster. If there are two installations in one namespace, set their names
/// explicitly.
pub fn installation_from_env() -> Installation {
    let namespace = namespace(std::env::var("POD_NAMESPACE").ok(), Path::new(NAMESPACE_FILE)).ok();
    installation(namespace)
}

fn installation(namespace: Option<String>) -> Installation {
    let outside = || Installation::new(OUTSIDE).expect("a legible name");
    namespace.and_then(|namespace| Installation::new(namespace).ok()).unwrap_or_else(outside)
}

fn namespace(variable: Option<String>, file: &Path) -> Result<String, EnvironmentError> {
    let from_file = || std::fs::read_to_string(file).ok();
    variable
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .or_else(|| from_file().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
        .ok_or(EnvironmentError::NoNamespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_in_no_pod_is_an_installation_of_its_own() {
        assert_eq!(installation(Some("prod".into())).as_str(), "prod");
        assert_eq!(installation(None).as_str(), OUTSIDE);
    }

    #[test]
    fn the_variable_comes_first_then_the_file_then_advice() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(namespace(Some(" prod\n".into()), nowhere).expect("given"), "prod");
        let message = namespace(Some(String::new()), nowhere).expect_err("nothing").to_string();
        assert!(message.contains("set POD_NAMESPACE"), "{message}");
        let file = std::env::temp_dir().join(format!("lease-core-namespace-{}", std::process::id()));
        std::fs::write(&file, "team-a\n").expect("write");
        assert_eq!(namespace(None, &file).expect("file"), "team-a");
        std::fs::remove_file(&file).expect("remove");
    }
}
