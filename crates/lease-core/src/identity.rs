//! The identity of a candidate: holderIdentity.

use std::fmt;

/// The holderIdentity of one process: `<POD_NAME or hostname>_<uuid>`.
///
/// The part after the underscore makes it unique per process, as in client-go. After a restart of the container, the same Pod is
/// another candidate, and must wait like any other, unless it can prove that the process before it has ended. Kubernetes names contain no underscore, so
/// `awk -F_ '{print $1}'` prints the Pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(String);

/// The identity is empty. In a Lease, an empty identity means that there is no holder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the identity of this replica is empty; set POD_NAME (the Downward API's metadata.name) or the hostname"
)]
pub struct EmptyIdentity;

/// The placeholder that is written as holder of a Lease which nobody may take before it has expired.
///
/// The holder of a deleted Lease may not know yet that it was deleted. So a candidate that recreates the Lease writes this
/// name into it instead of its own.
pub const NOBODY: &str = "nobody-before-it-expires";

impl Identity {
    /// The placeholder [`NOBODY`].
    pub fn nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// Uses the text as it is.
    ///
    /// # Errors
    ///
    /// If the text is empty or blank.
    pub fn new(identity: impl Into<String>) -> Result<Self, EmptyIdentity> {
        let identity = identity.into();
        if identity.trim().is_empty() { Err(EmptyIdentity) } else { Ok(Self(identity)) }
    }

    /// `<pod>_<unique>`.
    ///
    /// # Errors
    ///
    /// If one of the two is empty.
    pub fn of_pod(pod: &str, unique: &str) -> Result<Self, EmptyIdentity> {
        if pod.trim().is_empty() || unique.is_empty() {
            return Err(EmptyIdentity);
        }
        Ok(Self(format!("{}_{unique}", pod.trim())))
    }

    /// The text, as in `spec.holderIdentity`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Pod's name, or the whole identity if it contains no underscore.
    pub fn pod(&self) -> &str {
        self.0.split_once('_').map_or(&self.0, |(pod, _)| pod)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pod_can_be_read_off() {
        let identity = Identity::of_pod("memcached-operator-7d9f-x2x", "0b51").expect("valid");
        assert_eq!(identity.as_str(), "memcached-operator-7d9f-x2x_0b51");
        assert_eq!(identity.pod(), "memcached-operator-7d9f-x2x");
    }

    #[test]
    fn nobody_is_refused() {
        assert_eq!(Identity::new("  "), Err(EmptyIdentity));
        assert_eq!(Identity::of_pod("", "0b51"), Err(EmptyIdentity));
    }
}
