//! The installation that a replica belongs to.

use std::fmt;

/// An annotation may be longer, but this name is for people to read.
const LONGEST: usize = 253;

/// Which installation of an operator a process belongs to, such as `<namespace>/<release>`. It must be the same for all replicas of an
/// installation, in every version, and different for other installations.
///
/// Replicas of one installation share a LeaderElectionID. If two installations share one by mistake, the holders in the
/// Leases do not show it. So each Lease also names the installation of its holder, in the
/// annotation `<domain>/installation`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Installation(String);

/// The text is not a valid name of an installation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the installation is {0:?}; name it in 1 to {LONGEST} characters without blanks, such as its namespace/release"
)]
pub struct BadInstallation(String);

impl Installation {
    /// The key of the annotation: `<domain>/installation`.
    pub fn annotation(domain: &str) -> String {
        format!("{domain}/installation")
    }

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than 253 characters, or contains white space or control characters.
    pub fn new(name: impl Into<String>) -> Result<Self, BadInstallation> {
        let name = name.into();
        let legible = !name.chars().any(|c| c.is_whitespace() || c.is_control());
        if legible && (1..=LONGEST).contains(&name.chars().count()) {
            Ok(Self(name))
        } else {
            Err(BadInstallation(name))
        }
    }

    /// The text, as in the annotation.
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
