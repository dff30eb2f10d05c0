//! How far the cache of a watched type has come: the takeover barrier for caches that are older than the acquisition.
//!
//! The first reconcile of a shard must not use a state older than the last that the previous owner may have used. A cache that was filled before
//! the acquisition may be older by any time, because a watch can hang. So it has to reach a *read sent after the acquisition*: either a list of the
//! watch itself, or a list of the metadata that is sent for this purpose. The cache has reached such a list if
//!
//! - the watch has shown a version as new as the list, or
//! - the cache contains exactly the objects of the list, by uid and resourceVersion.
//!
//! Waiting for a version alone would not do: where nothing changes, only a bookmark would bring it, which the API server sends about once a minute and
//! kube-runtime does not pass on. A cache that does not reach the list within [`PATIENCE`] is listed again.
//!
//! Reads are numbered in the order in which they are sent. A shard notes the number at its acquisition, and one read serves all shards that were acquired before it
//! was sent.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// How long a watch may take to show what a list contains. Usually it takes milliseconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Counts the reads of one replica.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reads(Arc<AtomicU64>);

/// A point in the order of reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReadMark(u64);

impl Reads {
    /// All reads that begin from now on are later than this.
    pub(crate) fn mark(&self) -> ReadMark {
        ReadMark(self.0.load(Ordering::SeqCst))
    }

    /// The number of a read that has not been sent yet.
    pub(super) fn begin(&self) -> ReadMark {
        ReadMark(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// The position of one watch.
#[derive(Debug, Default)]
pub(super) struct Position {
    state: Mutex<State>,
    /// Held by whoever compares the cache with a list.
    pub(super) proving: tokio::sync::Mutex<()>,
    /// Makes the watch start again with a list.
    pub(super) restart: Notify,
    moved: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The newest version that the watch has shown.
    newest: u64,
    /// The newest version in the list in progress, and the number of that list.
    listing: (u64, u64),
    /// The number of the latest read that the cache contains.
    contains: u64,
    /// Whether the watch keeps failing and has never been listed.
    refused: bool,
}

impl Position {
    pub(super) fn list_begins(&self, number: ReadMark) {
        self.state.lock().listing = (0, number.0);
    }

    /// The list in progress contains an object of this version.
    pub(super) fn listed(&self, version: Option<&str>) {
        let mut state = self.state.lock();
        state.listing.0 = state.listing.0.max(number(version));
    }

    /// The list is in the cache.
    pub(super) fn list_ends(&self) {
        let mut state = self.state.lock();
        state.newest = state.newest.max(state.listing.0);
        state.contains = state.contains.max(state.listing.1);
        state.refused = false;
        drop(state);
        self.moved.notify_waiters();
    }

    /// A change of this version is in the cache.
    pub(super) fn shown(&self, version: Option<&str>) {
        let mut state = self.state.lock();
        state.newest = state.newest.max(number(version));
        drop(state);
        self.moved.notify_waiters();
    }

    /// The list or the watch has failed.
    pub(super) fn failed(&self) {
        let mut state = self.state.lock();
        state.refused = state.contains == 0;
        drop(state);
        self.moved.notify_waiters();
    }

    /// The cache has been compared with this read, and contains it.
    pub(super) fn reaches(&self, read: ReadMark) {
        let mut state = self.state.lock();
        state.contains = state.contains.max(read.0);
        drop(state);
        self.moved.notify_waiters();
    }

    /// Whether the cache contains a read that was sent after this.
    pub(super) fn is_later_than(&self, mark: ReadMark) -> bool {
        self.state.lock().contains > mark.0
    }

    /// Whether the cache contains this read, or a later one.
    pub(super) fn contains(&self, read: ReadMark) -> bool {
        self.state.lock().contains >= read.0
    }

    /// Whether a list has ever been complete.
    pub(super) fn is_listed(&self) -> bool {
        self.state.lock().contains > 0
    }

    /// Whether the watch has failed without ever having been listed.
    pub(super) fn is_refused(&self) -> bool {
        self.state.lock().refused
    }

    /// Whether the watch has shown a version as new as this.
    pub(super) fn has_shown(&self, version: Option<&str>) -> bool {
        let version = number(version);
        version > 0 && self.state.lock().newest >= version
    }

    /// Resolves with the next change. Create it before you look.
    pub(super) fn moved(&self) -> tokio::sync::futures::Notified<'_> {
        self.moved.notified()
    }
}

/// Zero, where there is no version.
fn number(version: Option<&str>) -> u64 {
    version.and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_when_it_is_complete_and_only_for_what_was_acquired_before_it_was_sent() {
        let (reads, position) = (Reads::default(), Position::default());
        let before = reads.mark();
        position.list_begins(reads.begin());
        let during = reads.mark();
        position.listed(Some("7"));
        assert!(!position.is_later_than(before) && !position.is_listed());
        position.list_ends();
        assert!(position.is_later_than(before) && position.is_listed());
        assert!(!position.is_later_than(during), "it was sent before");
        assert!(position.has_shown(Some("7")) && !position.has_shown(Some("8")) && !position.has_shown(None));

        let read = reads.begin();
        assert!(!position.contains(read));
        position.reaches(read);
        assert!(position.contains(read) && position.is_later_than(during));
        assert!(!position.is_later_than(reads.mark()));
    }

    #[test]
    fn a_failure_counts_as_a_refusal_only_before_the_first_list() {
        let (reads, position) = (Reads::default(), Position::default());
        position.list_begins(reads.begin());
        position.failed();
        assert!(position.is_refused());
        position.list_begins(reads.begin());
        position.list_ends();
        assert!(!position.is_refused());
        position.failed();
        assert!(!position.is_refused());
    }
}
