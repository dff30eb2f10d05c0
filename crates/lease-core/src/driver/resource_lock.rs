//! The kind of object that carries the record of an election.

use std::fmt;
use std::str::FromStr;

use crate::record::TimePrecision;

/// The kind of object that an election is held on, with client-go's names.
///
/// Use [`Leases`](Self::Leases). The other two are for an election that shares its object with candidates that know nothing else, such as programs
/// built with client-go 0.23 or older: client-go itself refuses them since 0.24. Such an election has one object, named by the LeaderElectionID, and the record
/// is an annotation of it, [`RECORD_ANNOTATION`]. The rules are those of Leases. Differences:
///
/// - The times of the record are whole seconds, as client-go writes them.
/// - Everybody who watches ConfigMaps or Endpoints gets each renewal.
/// - Only [`Elections::lead`](super::Elections::lead) and candidates for the object of that name are possible.
///
/// Candidates that use different kinds **do not know of each other**. To change the kind, end all processes of the operator first (a Deployment with the
/// strategy `Recreate` does that), and then start those with the new one.
///
/// ```
/// use lease_core::ResourceLock;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// assert_eq!("configmaps".parse::<ResourceLock>()?, ResourceLock::ConfigMaps);
/// assert!("configmapsleases".parse::<ResourceLock>().is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResourceLock {
    /// `coordination.k8s.io/v1` Leases.
    #[default]
    Leases,
    /// ConfigMaps. Legacy.
    ConfigMaps,
    /// Endpoints. Legacy.
    Endpoints,
}

/// The annotation of a ConfigMap or of Endpoints that contains the record of an election, as JSON: client-go's `LeaderElectionRecordAnnotationKey`.
pub const RECORD_ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";

/// The text names no resource lock that there is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not a resource lock; use \"leases\", or one of the legacy locks \"configmaps\" and \"endpoints\"{}",
    advice(name)
)]
pub struct UnknownResourceLock {
    name: String,
}

fn advice(lock: &str) -> &'static str {
    match lock {
        "configmapsleases" | "endpointsleases" => {
            "; there is no lock on two objects at once: end all processes with the old lock before those with the new one start"
        }
        _ => "",
    }
}

impl ResourceLock {
    /// The name, as in client-go's configuration: the plural of the kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leases => "leases",
            Self::ConfigMaps => "configmaps",
            Self::Endpoints => "endpoints",
        }
    }

    /// Whether client-go refuses it by now.
    pub fn is_legacy(self) -> bool {
        self != Self::Leases
    }

    /// The resource in the form `plural.group`.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Leases => "leases.coordination.k8s.io",
            Self::ConfigMaps | Self::Endpoints => self.as_str(),
        }
    }

    pub(super) fn group(self) -> &'static str {
        match self {
            Self::Leases => "coordination.k8s.io",
            Self::ConfigMaps | Self::Endpoints => "",
        }
    }

    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::Leases => "coordination.k8s.io/v1",
            Self::ConfigMaps | Self::Endpoints => "v1",
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Leases => "Lease",
            Self::ConfigMaps => "ConfigMap",
            Self::Endpoints => "Endpoints",
        }
    }

    /// One object, in a sentence.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Leases => "lease",
            Self::ConfigMaps => "configmap",
            Self::Endpoints => "endpoints",
        }
    }

    /// How precise times are in the record.
    pub(super) fn time_precision(self) -> TimePrecision {
        if self.is_legacy() { TimePrecision::Seconds } else { TimePrecision::Microseconds }
    }
}

impl fmt::Display for ResourceLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ResourceLock {
    type Err = UnknownResourceLock;

    fn from_str(name: &str) -> Result<Self, UnknownResourceLock> {
        [Self::Leases, Self::ConfigMaps, Self::Endpoints]
            .into_iter()
            .find(|lock| lock.as_str() == name)
            .ok_or_else(|| UnknownResourceLock { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_not_known_is_refused_with_those_that_are() {
        let error = |name: &str| name.parse::<ResourceLock>().expect_err("unknown").to_string();
        assert_eq!(
            error("Leases"),
            "\"Leases\" is not a resource lock; use \"leases\", or one of the legacy locks \"configmaps\" and \"endpoints\""
        );
        assert!(error("endpointsleases").contains("no lock on two objects at once"));
    }
}
