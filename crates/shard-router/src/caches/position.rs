//! How far one watch has come.

use std::sync::atomic::{AtomicU64, Ordering};

use super::own_writes::OwnWrite;

/// A watch shows what happens in the order of resourceVersions, and a list shows all that had happened when it was asked for (each is
/// a consistent read). Versions are integers, which Kubernetes documents since 1.35.
#[derive(Debug, Default)]
pub(super) struct Position {
    /// The newest version of an object that it has shown.
    newest: AtomicU64,
    /// The newest version that a list under way has brought.
    listed: AtomicU64,
    lists_begun: AtomicU64,
    /// The number of the last list that is complete.
    list_complete: AtomicU64,
}

impl Position {
    /// An object of this version is in the cache, or was taken from it.
    pub(super) fn shown(&self, version: Option<&str>) {
        self.newest.fetch_max(number(version), Ordering::AcqRel);
    }

    pub(super) fn list_begins(&self) {
        self.listed.store(0, Ordering::Release);
        self.lists_begun.fetch_add(1, Ordering::AcqRel);
    }

    /// The list has brought an object of this version; it is in the cache when the list is complete.
    pub(super) fn listed(&self, version: Option<&str>) {
        self.listed.fetch_max(number(version), Ordering::AcqRel);
    }

    pub(super) fn list_ends(&self) {
        self.newest.fetch_max(self.listed.load(Ordering::Acquire), Ordering::AcqRel);
        self.list_complete.store(self.lists_begun.load(Ordering::Acquire), Ordering::Release);
    }

    /// Whether a list has been complete.
    pub(super) fn is_listed(&self) -> bool {
        self.list_complete.load(Ordering::Acquire) > 0
    }

    /// A write that has just been answered with this version.
    pub(super) fn write(&self, kind: usize, watch: usize, version: u64) -> OwnWrite {
        OwnWrite { kind, watch, version, lists_begun: self.lists_begun.load(Ordering::Acquire) }
    }

    /// Whether the cache is not older than this write: a later event was shown, or a list that was asked for after the answer. The latter is
    /// what shows that an object is gone, if its deletion fell between two watches.
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
