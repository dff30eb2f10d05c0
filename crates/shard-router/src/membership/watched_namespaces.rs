//! Which namespaces a replica watches, as its member Lease states it. Pure.
//!
//! If replicas of one installation watch different namespaces, some resources are reconciled by nobody: those in a namespace that the owner of
//! their shard does not watch. A replica that differs from the committed layout refuses to work. Here a replica must not refuse: a rolling update is
//! how the namespaces are changed, and while it goes on, replicas with both settings run. A new replica that refused, or was not ready, would
//! stop the rolling update that ends the difference. So the difference is reported for as long as it lasts, and nothing else follows from it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use crate::routing::hash::hash;

/// Stands for all namespaces. No namespace can have this name.
const ALL: &str = "*";

/// The longest list of names that is written out, in bytes: every replica watches the Leases of all others.
const LONGEST: usize = 512;

/// Which namespaces a replica watches. Two values are equal if the same namespaces are meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchedNamespaces(Arc<str>);

impl WatchedNamespaces {
    /// These; all namespaces if there are none.
    pub(crate) fn of(namespaces: &BTreeSet<String>) -> Self {
        let names = namespaces.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let text = match names.len() {
            0 => ALL.to_owned(),
            1..=LONGEST => names,
            // All versions have to write the same, so the hash is the one that buckets are computed with.
            _ => format!("{} (hash {:016x})", namespaces.len(), hash(names.as_bytes())),
        };
        Self(text.into())
    }

    /// What the annotation of a member Lease says.
    pub(crate) fn read(annotation: &str) -> Self {
        // Whoever may write Leases may write anything here, and it is logged.
        let printable = annotation.chars().filter(|character| !character.is_control());
        Self(printable.take(LONGEST).collect::<String>().into())
    }

    /// The value of the annotation.
    pub(crate) fn annotation(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WatchedNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            ALL => f.write_str("all namespaces"),
            names => write!(f, "namespaces {names}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(names: &[&str]) -> WatchedNamespaces {
        WatchedNamespaces::of(&names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn the_same_namespaces_are_equal_in_whatever_order_they_were_given() {
        assert_eq!(watched(&["b", "a", "b"]), watched(&["a", "b"]));
        assert_ne!(watched(&["a"]), watched(&["a", "b"]));
        assert_ne!(watched(&[]), watched(&["all"]));
        assert_ne!(watched(&["a-b"]), watched(&["a", "b"]));
    }

    #[test]
    fn what_is_written_reads_back_and_prints_for_people() {
        for (names, prints) in
            [(&[][..], "all namespaces"), (&["team-b", "team-a"], "namespaces team-a,team-b")]
        {
            let written = watched(names);
            assert_eq!(WatchedNamespaces::read(written.annotation()), written);
            assert_eq!(written.to_string(), prints);
        }
    }

    /// Versions that disagree about it would report a difference where there is none.
    #[test]
    fn a_long_list_is_written_as_its_count_and_its_hash() {
        let many = |last: usize| {
            let names = (0..last).map(|n| format!("team-{n}"));
            WatchedNamespaces::of(&names.collect())
        };
        assert_eq!(many(200).annotation(), "200 (hash 53d5ab424a91f627)");
        assert_eq!(WatchedNamespaces::read(many(200).annotation()), many(200));
        assert_ne!(many(200), many(201));
        assert!(many(60).annotation().starts_with("team-0,team-1,team-10,"), "it is short enough");
    }

    #[test]
    fn what_a_stranger_writes_cannot_begin_a_line_of_the_log_or_fill_it() {
        let read = WatchedNamespaces::read(&format!("team-a\n ERROR {}", "x".repeat(10_000)));
        assert!(read.to_string().starts_with("namespaces team-a ERROR x"));
        assert!(read.to_string().len() < 600);
    }
}
