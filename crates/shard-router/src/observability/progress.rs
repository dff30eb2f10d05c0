//! Whether what this replica holds is worked on: shards, and the kinds that are not sharded.
//!
//! A part of the work is worked on once its first list is complete, and while no list and no watch of it keeps failing. This is decided by the
//! answers to requests, because a watch that continues after a failure may have no events for a long time.

mod failing;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lease_core::{Clock, Monotonic};
use parking_lot::{Mutex, MutexGuard};

use self::failing::Failing;
pub(crate) use self::failing::WatchedProgress;
use crate::{
    observability::requests::{Answer, Observer, Target, seconds},
    routing::part::Part,
};

/// What is held, and its problems.
#[derive(Debug)]
pub(crate) struct Progress {
    clock: Arc<dyn Clock>,
    /// The custom resources, the owned and the watched types, as `plural.group`, and on how many watches each comes.
    resources: Vec<String>,
    watches: usize,
    /// The watches that all shards share.
    depends_on: Vec<Arc<WatchedProgress>>,
    /// By part of the work and number of the hold: several groups of buckets of one shard can be worked on.
    parts: Mutex<BTreeMap<(Part, u64), PartProgress>>,
    holds: AtomicU64,
}

#[derive(Debug)]
struct PartProgress {
    since: Monotonic,
    listed: bool,
    failing: Failing,
}

/// A part of the work that is held but not, or only partly, worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stall {
    pub(crate) part: Part,
    pub(crate) lasted: Duration,
    /// Whether all of its resources are affected; otherwise only some.
    pub(crate) wholly: bool,
    /// What failed, as a phrase; `None` if it only takes long.
    pub(crate) why: Option<String>,
}

/// Whether the shards of a replica are worked on. Only shards that have been held for a while count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WorkStatus {
    /// No shard has been held for long enough.
    Unknown,
    /// At least one shard is worked on.
    Working,
    /// Each of them keeps failing as a whole. The sentence is about the first.
    Stuck(String),
}

impl WorkStatus {
    /// The status of two kinds together: one that is worked on is enough.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Working, _) | (_, Self::Working) => Self::Working,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (stuck, _) => stuck,
        }
    }
}

impl Progress {
    pub(crate) fn new(clock: Arc<dyn Clock>, resources: Vec<String>, watches: usize) -> Self {
        let depends_on = Vec::new();
        Self { clock, resources, watches, depends_on, parts: Mutex::default(), holds: AtomicU64::new(0) }
    }

    /// The shards are held up by failures of these watches, too.
    pub(crate) fn depending_on(self, depends_on: Vec<Arc<WatchedProgress>>) -> Self {
        Self { depends_on, ..self }
    }

    /// Tracks a part of the work, or a group of its buckets, until the guard is dropped.
    pub(crate) fn track(self: &Arc<Self>, part: Part) -> (Arc<TermProgress>, ProgressGuard) {
        let since = self.clock.now().monotonic;
        let number = self.holds.fetch_add(1, Ordering::Relaxed);
        let held = PartProgress { since, listed: false, failing: Failing::default() };
        self.lock().insert((part, number), held);
        let progress = Arc::new(TermProgress { progress: self.clone(), part, hold: number });
        (progress.clone(), ProgressGuard(progress))
    }

    /// Whether anything is held.
    pub(crate) fn is_held(&self) -> bool {
        !self.lock().is_empty()
    }

    /// All that is held and not completely worked on, shards by number.
    pub(crate) fn stalls(&self) -> Vec<Stall> {
        let now = self.clock.now().monotonic;
        self.lock().iter().filter_map(|((part, _), held)| self.stall(*part, held, now)).collect()
    }

    /// A sentence that says which shards have been held for longer than `threshold` without being worked on.
    pub(crate) fn sentence(&self, threshold: Duration) -> Option<String> {
        let stalls = self.stalls();
        let mut long = stalls.iter().filter(|stall| stall.lasted > threshold);
        let first = long.next()?.sentence();
        Some(match long.count() {
            0 => first,
            more => format!("{first} (and so with {more} more shards)"),
        })
    }

    /// The status of the shards that have been held for longer than `threshold`.
    pub(crate) fn work(&self, threshold: Duration) -> WorkStatus {
        let now = self.clock.now().monotonic;
        let parts = self.lock();
        let mut old = parts.iter().filter(|(_, held)| now.duration_since(held.since) > threshold).peekable();
        if old.peek().is_none() {
            return WorkStatus::Unknown;
        }
        let mut first = None;
        for ((part, _), held) in old {
            match self.stall(*part, held, now) {
                Some(stall) if stall.wholly => {
                    if stall.why.is_none() || stall.lasted <= threshold {
                        return WorkStatus::Unknown;
                    }
                    first.get_or_insert(stall.sentence());
                }
                _ => return WorkStatus::Working,
            }
        }
        first.map_or(WorkStatus::Unknown, WorkStatus::Stuck)
    }

    fn stall(&self, part: Part, held: &PartProgress, now: Monotonic) -> Option<Stall> {
        let of_watched: Vec<_> = self.depends_on.iter().flat_map(|watched| watched.failing()).collect();
        let of_watched = of_watched.iter().map(|(target, since, why)| (target, *since, why.as_str()));
        let failing: Vec<_> = held.failing.iter().chain(of_watched).collect();
        let earliest = failing.iter().min_by_key(|(_, since, _)| *since);
        let why = earliest.map(|(_, _, why)| (*why).to_owned());
        // Where one of them is not seen, nothing is worked on.
        let unseen = failing.iter().filter(|(target, _, _)| self.resources.contains(&target.resource));
        let unseen: BTreeSet<_> = unseen.map(|(target, _, _)| &target.namespace).collect();
        let wholly = !held.listed || unseen.len() >= self.watches;
        let since = if held.listed { earliest?.1 } else { held.since };
        Some(Stall { part, lasted: now.duration_since(since), wholly, why })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Part, u64), PartProgress>> {
        self.parts.lock()
    }
}

impl Stall {
    fn sentence(&self) -> String {
        let Self { part: held, lasted, wholly, why } = self;
        let part = if *wholly { "is held but not worked on" } else { "is held but only partly worked on" };
        let why = why.as_deref().unwrap_or(
            "its first list is not complete yet; it waits for other shards to start, or for the API server",
        );
        format!("{held} {part} for {} now: {why}", seconds(*lasted))
    }
}

/// Observes the requests of one term of one part.
#[derive(Debug)]
pub(crate) struct TermProgress {
    progress: Arc<Progress>,
    part: Part,
    hold: u64,
}

/// Ends the observation of a term: a user may keep a client, and with it a [`TermProgress`], for longer.
#[derive(Debug)]
pub(crate) struct ProgressGuard(Arc<TermProgress>);

impl Drop for ProgressGuard {
    fn drop(&mut self) {
        let TermProgress { progress, part, hold } = self.0.as_ref();
        progress.lock().remove(&(*part, *hold));
    }
}

impl TermProgress {
    /// The first list is complete.
    pub(crate) fn listed(&self) {
        self.with(|held| held.listed = true);
    }

    fn with(&self, act: impl FnOnce(&mut PartProgress)) {
        let mut parts = self.progress.lock();
        if let Some(held) = parts.get_mut(&(self.part, self.hold)) {
            act(held);
        }
    }
}

impl Observer for TermProgress {
    fn answered(&self, target: &Target, answer: &Answer) {
        let now = self.progress.clock.now().monotonic;
        self.with(|held| held.failing.answered(target, answer, now));
    }
}

#[cfg(test)]
mod tests;
