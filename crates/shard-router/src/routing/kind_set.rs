//! The kinds that an operator reconciles, and how, as the layout records them.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How the work on a kind is distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KindMode {
    /// By bucket: the holder of a shard reconciles the resources of its buckets.
    Sharded,
    /// Not at all: the holder of the coordinator Lease reconciles all resources of the kind.
    Unsharded,
}

/// The kinds of an operator with their modes. Two replicas that differ in any of them must not work together.
///
/// The layout records it as text: `Kind.group` (without the group for the core API), sorted and separated by commas. `=unsharded` follows the name of a
/// kind that is not sharded. Nothing follows that of a sharded one, so layouts that were committed before there were modes mean the same as today, and
/// a version without modes refuses a layout with a kind that is not sharded.
///
/// ```
/// use shard_router::{KindMode, KindSet};
///
/// let kinds: KindSet = "ConfigMap,Tenant.example.com=unsharded".parse()?;
/// assert_eq!(kinds.mode("ConfigMap"), Some(KindMode::Sharded));
/// assert_eq!(kinds.mode("Tenant.example.com"), Some(KindMode::Unsharded));
/// # Ok::<(), shard_router::KindSetError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KindSet(BTreeMap<String, KindMode>);

const UNSHARDED: &str = "unsharded";

impl KindSet {
    /// The set of these kinds, each as `Kind.group`.
    ///
    /// # Errors
    ///
    /// If there is none, one is given twice, or a name cannot be that of a kind.
    pub fn new<N: Into<String>>(
        kinds: impl IntoIterator<Item = (N, KindMode)>,
    ) -> Result<Self, KindSetError> {
        let mut set = BTreeMap::new();
        for (name, mode) in kinds {
            let name = name.into();
            if name.is_empty() || name.contains([',', '=', '/']) {
                return Err(KindSetError::Name(name));
            }
            if let Some(_earlier) = set.insert(name.clone(), mode) {
                return Err(KindSetError::Twice(name));
            }
        }
        if set.is_empty() { Err(KindSetError::Empty) } else { Ok(Self(set)) }
    }

    /// The mode of a kind, given as `Kind.group`; `None` if it is not in the set.
    pub fn mode(&self, kind: &str) -> Option<KindMode> {
        self.0.get(kind).copied()
    }

    /// The number of kinds, which is never 0.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All kinds, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, KindMode)> {
        self.0.iter().map(|(name, mode)| (name.as_str(), *mode))
    }
}

/// For people: `ConfigMap,Tenant.example.com (unsharded)`.
impl fmt::Display for KindSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (name, mode)) in self.iter().enumerate() {
            let comma = if nth == 0 { "" } else { "," };
            let mode = match mode {
                KindMode::Sharded => "",
                KindMode::Unsharded => " (unsharded)",
            };
            write!(f, "{comma}{name}{mode}")?;
        }
        Ok(())
    }
}

impl From<KindSet> for String {
    fn from(kinds: KindSet) -> String {
        let entry = |(name, mode): (&str, KindMode)| match mode {
            KindMode::Sharded => name.to_owned(),
            KindMode::Unsharded => format!("{name}={UNSHARDED}"),
        };
        kinds.iter().map(entry).collect::<Vec<_>>().join(",")
    }
}

impl TryFrom<String> for KindSet {
    type Error = KindSetError;

    fn try_from(text: String) -> Result<Self, KindSetError> {
        text.parse()
    }
}

impl FromStr for KindSet {
    type Err = KindSetError;

    fn from_str(text: &str) -> Result<Self, KindSetError> {
        let entries = text.split(',').map(|entry| match entry.split_once('=') {
            None => Ok((entry, KindMode::Sharded)),
            Some((name, UNSHARDED)) => Ok((name, KindMode::Unsharded)),
            Some((name, mode)) => Err(KindSetError::Mode { kind: name.to_owned(), mode: mode.to_owned() }),
        });
        Self::new(entries.collect::<Result<Vec<_>, _>>()?)
    }
}

/// Why there is no such set of kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KindSetError {
    /// There is no kind.
    #[error("there is no kind")]
    Empty,
    /// One kind is named twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// This is no `Kind.group`.
    #[error("{0:?} is not the name of a kind, which reads \"Kind.group\"")]
    Name(String),
    /// A mode that this version does not know.
    #[error("the mode {mode:?} of {kind} is unknown to this version")]
    Mode {
        /// As `Kind.group`.
        kind: String,
        /// As it is recorded.
        mode: String,
    },
}

#[cfg(test)]
mod tests {
    use super::{KindMode::*, *};

    fn set(kinds: &[(&str, KindMode)]) -> KindSet {
        KindSet::new(kinds.iter().copied()).unwrap()
    }

    #[test]
    fn the_wire_form_is_pinned_and_without_modes_it_is_that_of_earlier_versions() {
        for (wire, kinds) in [
            ("Widget.x.io", set(&[("Widget.x.io", Sharded)])),
            // As an earlier version has committed it.
            ("ConfigMap,Widget.x.io", set(&[("Widget.x.io", Sharded), ("ConfigMap", Sharded)])),
            ("A.x.io=unsharded,B.x.io", set(&[("B.x.io", Sharded), ("A.x.io", Unsharded)])),
        ] {
            assert_eq!(String::from(kinds.clone()), wire);
            assert_eq!(wire.parse(), Ok(kinds));
        }
    }

    /// Guessing a mode could have a kind worked on twice.
    #[test]
    fn what_this_version_does_not_know_is_not_guessed() {
        let unknown = |text: &str| text.parse::<KindSet>().unwrap_err().to_string();
        assert_eq!(
            unknown("A.x.io=sharded-twice"),
            "the mode \"sharded-twice\" of A.x.io is unknown to this version"
        );
        assert_eq!(unknown("A.x.io="), "the mode \"\" of A.x.io is unknown to this version");
        assert_eq!(unknown("A.x.io,A.x.io=unsharded"), "A.x.io is named twice");
        for text in ["", "A.x.io,", "a/b", "=unsharded"] {
            assert!(matches!(text.parse::<KindSet>(), Err(KindSetError::Name(_))), "{text:?}");
        }
    }

    #[test]
    fn a_person_reads_the_mode_in_words() {
        let kinds = set(&[("A.x.io", Unsharded), ("B.x.io", Sharded)]);
        assert_eq!(kinds.to_string(), "A.x.io (unsharded),B.x.io");
    }
}
