//! Who contends: holderIdentity.

use std::fmt;

/// The holderIdentity of one process: `<POD_NAME or hostname>_<uuid>`.
///
/// The part after the underscore makes it unique per process, as client-go does it: the same Pod with a restarted
/// container is another candidate, and must wait like any other. Kubernetes names have no underscore, so
/// `awk -F_ '{print $1}'` gives the Pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(String);

/// An empty identity would read as "nobody holds this Lease".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the identity of this replica is empty; set POD_NAME (the Downward API's metadata.name) or the hostname"
)]
pub struct EmptyIdentity;

/// The holder of a Lease that nobody may take before it has expired like any other.
///
/// A Lease that vanished may have a holder that does not know it yet. Whoever creates it anew therefore writes this
/// name into it, and not its own.
pub const NOBODY: &str = "nobody-before-it-expires";

impl Identity {
    /// [`NOBODY`].
    pub fn nobody() -> Self {
        Self(NOBODY.to_owned())
    }

    /// An identity as it stands.
    ///
    /// # Errors
    ///
    /// It is empty.
    pub fn new(identity: impl Into<String>) -> Result<Self, EmptyIdentity> {
        let identity = identity.into();
        if identity.trim().is_empty() { Err(EmptyIdentity) } else { Ok(Self(identity)) }
    }

    /// `<pod>_<unique>`.
    ///
    /// # Errors
    ///
    /// One of the two is empty.
    pub fn of_pod(pod: &str, unique: &str) -> Result<Self, EmptyIdentity> {
        if pod.trim().is_empty() || unique.is_empty() {
            return Err(EmptyIdentity);
        }
        Ok(Self(format!("{}_{unique}", pod.trim())))
    }

    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Pod's name, or the whole identity where it has no such part.
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
