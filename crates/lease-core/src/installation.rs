//! Whose replicas: the installation.

use std::fmt;

/// An annotation may be longer; something for people to read should not be.
const LONGEST: usize = 253;

/// Which installation of an operator a process belongs to, such as `<namespace>/<release>`: the same for all of its
/// replicas, in every version, and for nobody else's.
///
/// Replicas of one installation share a LeaderElectionID. That two installations share one as well is a mistake that the
/// Leases alone do not show, as all of their holders look alike; so each Lease names its holder's installation too, in the
/// annotation `<domain>/installation`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Installation(String);

/// This names no installation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the installation is {0:?}; name it in 1 to {LONGEST} characters without blanks, such as its namespace/release"
)]
pub struct BadInstallation(String);

impl Installation {
    /// Where the annotation stands: `<domain>/installation`.
    pub fn annotation(domain: &str) -> String {
        format!("{domain}/installation")
    }

    /// A name as it stands.
    ///
    /// # Errors
    ///
    /// It is empty, too long, or has white space or control characters in it.
    pub fn new(name: impl Into<String>) -> Result<Self, BadInstallation> {
        let name = name.into();
        let legible = !name.chars().any(|c| c.is_whitespace() || c.is_control());
        if legible && (1..=LONGEST).contains(&name.chars().count()) {
            Ok(Self(name))
        } else {
            Err(BadInstallation(name))
        }
    }

    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_legible_and_not_endless() {
        assert_eq!(Installation::new("team-a/cache").expect("fine").as_str(), "team-a/cache");
        for odd in ["", "two words", "a\nb", &"a".repeat(254)] {
            assert!(Installation::new(odd).is_err(), "{odd:?}");
        }
    }
}
