//! The position of a watch.

use std::sync::atomic::{AtomicU64, Ordering};

use super::own_writes::OwnWrite;

/// A watch shows changes in the order of resourceVersions, and a list shows all changes up to the time when it was requested (each list is
/// a consistent read). Versions are integers, which Kubernetes documents since 1.35.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The newest version of an object that the watch has shown.
    newest: AtomicU64,
    /// The newest version in a list in progress.
    listed: AtomicU64,
    lists_begun: AtomicU64,
    /// The number of the last complete list.
    list_complete: AtomicU64,
}

impl Position {
    /// An object of this version was added to the cache, or removed from it.
    pub(super) fn shown(&self, version: Option<&str>) {
        self.newest.fetch_max(number(version), Ordering::AcqRel);
    }

    pub(super) fn list_begins(&self) {
        self.listed.store(0, Ordering::Release);
        self.lists_begun.fetch_add(1, Ordering::AcqRel);
    }

    /// The list contains an object of this version, which will be in the cache when the list is complete.
    pub(super) fn listed(&self, version: Option<&str>) {
        self.listed.fetch_max(number(version), Ordering::AcqRel);
    }

    pub(super) fn list_ends(&self) {
        self.newest.fetch_max(self.listed.load(Ordering::Acquire), Ordering::AcqRel);
        self.list_complete.store(self.lists_begun.load(Ordering::Acquire), Ordering::Release);
    }

    /// Whether a list has been completed.
    pub(super) fn is_listed(&self) -> bool {
        self.list_complete.load(Ordering::Acquire) > 0
    }

    /// Records a write that has just been answered with this version.
    pub(super) fn write(&self, kind: usize, watch: usize, version: u64) -> OwnWrite {
        OwnWrite { kind, watch, version, lists_begun: self.lists_begun.load(Ordering::Acquire) }
    }

    /// Whether the cache contains this write: the watch has shown this or a later version, or a list that was requested after the answer. Only such
    /// a list shows a deletion between two watches.
    pub(super) fn shows(&self, write: &OwnWrite) -> bool {
        self.newest.load(Ordering::Acquire) >= write.version
            || self.list_complete.load(Ordering::Acquire) > write.lists_begun
    }
}

/// Nothing, where there is no version.
fn number(version: Option<&str>) -> u64 {
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: &str) -> Position {
        let position = Position::default();
        position.list_begins();
        position.listed(Some(version));
        position.list_ends();
        position
    }

    #[test]
    fn a_write_is_shown_by_itself_or_by_anything_later() {
        let position = at("5");
        let write = position.write(1, 0, 7);
        assert!(!position.shows(&write));
        position.shown(Some("6"));
        assert!(!position.shows(&write));
        position.shown(Some("7"));
        assert!(position.shows(&write));
        assert!(position.shows(&position.write(1, 0, 3)), "the watch was quicker than the answer");
    }

    /// Its deletion was missed between two watches, and nothing in the list is as new.
    #[test]
    fn an_object_that_is_gone_is_shown_by_a_list_that_was_asked_for_later() {
        let position = at("5");
        position.list_begins();
        let write = position.write(1, 0, 7);
        position.list_ends();
        assert!(!position.shows(&write), "that list was asked for before the answer came");
        position.list_begins();
        assert!(!position.shows(&write));
        position.list_ends();
        assert!(position.shows(&write));
    }

    #[test]
    fn what_a_list_has_brought_counts_when_it_is_complete() {
        let position = at("5");
        let write = position.write(1, 0, 7);
        position.list_begins();
        position.listed(Some("9"));
        assert!(!position.shows(&write));
        position.list_ends();
        assert!(position.shows(&write));
    }
}
