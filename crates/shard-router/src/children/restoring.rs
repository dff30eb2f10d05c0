//! When a child is written again although the spec has not changed: at growing intervals.
//!
//! The first such write is immediate. The next may follow after `FIRST`, and each further one after twice the time, up to
//! `LONGEST`. If a child stays as applied for twice its interval, and for at least `QUIET`, the intervals start over. Each cause has its own
//! intervals: a webhook that changes one field does not delay the correction of another. Pure: the time comes from the caller.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use lease_core::Boottime;

use super::{
    differences::Difference,
    dispute::{Dispute, DisputeState},
};
use crate::rules::wait_before_restoring;

/// The interval between the first and the second write.
const FIRST: Duration = Duration::from_secs(1);
/// The maximum interval.
const LONGEST: Duration = Duration::from_mins(5);
/// Two corrections within this time are a dispute, so that slow writers count as well.
const QUIET: Duration = Duration::from_mins(1);
/// The maximum number of entries. There are more only if something is wrong everywhere; then the oldest are removed.
const MOST: usize = 4096;

/// Why a child was written although the spec had not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Somebody had changed or deleted it.
    Others,
    /// The API server stored something else than what was applied; another write cannot help.
    Admission,
}

/// A child: the uid of its owner, and its own kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Child {
    pub(super) owner: String,
    pub(super) object: String,
}

/// A reading of two clocks: the first is used for intervals, the second for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) boottime: Boottime,
    pub(super) wall: Timestamp,
}

#[derive(Clone, Debug)]
struct Restoration {
    at: Boottime,
    wait: Duration,
    /// The generation of the owner at the time.
    generation: Option<i64>,
    dispute: Dispute,
    /// Where the API server's answer differed from what was applied.
    answer: Vec<Difference>,
}

impl Restoration {
    fn is_over(&self, now: Boottime) -> bool {
        now.duration_since(self.at) >= QUIET.max(self.wait * 2)
    }

    fn remaining(&self, now: Boottime) -> Option<Duration> {
        Some((self.at + self.wait).duration_since(now)).filter(|wait| !wait.is_zero())
    }
}

/// The children that were restored lately. Each entry ends with its owner, or when the child has stayed as applied for long enough.
#[derive(Debug, Default)]
pub(super) struct Restorations(BTreeMap<(Child, Cause), Restoration>);

impl Restorations {
    /// How long to leave this child alone from `now` on, if at all.
    pub(super) fn wait(&self, child: &Child, cause: Cause, now: Instant) -> Option<Duration> {
        let restored = self.0.get(&(child.clone(), cause))?;
        wait_before_restoring(restored.remaining(now.boottime))
    }

    /// Whether it was restored lately.
    pub(super) fn is_known(&self, child: &Child, now: Instant) -> bool {
        let restored = self.0.get(&(child.clone(), Cause::Others));
        restored.is_some_and(|restored| !restored.is_over(now.boottime))
    }

    /// Whether it was restored lately for an earlier generation of its owner.
    pub(super) fn is_of_earlier_generation(&self, child: &Child, generation: Option<i64>) -> bool {
        let restored = self.0.get(&(child.clone(), Cause::Others));
        restored.is_some_and(|restored| restored.generation != generation)
    }

    /// Whether the pause of a child has not been told yet, with what differs meanwhile.
    pub(super) fn is_untold(&self, child: &Child) -> bool {
        let restored = self.0.get(&(child.clone(), Cause::Others));
        restored.is_some_and(|restored| restored.dispute.state == DisputeState::Restored)
    }

    /// Records the state of a child that has to wait. The first state is kept until the interval is over. Otherwise somebody who keeps changing
    /// the child would cause a write of the status each time.
    pub(super) fn held_back(&mut self, child: &Child, state: DisputeState, details: impl FnOnce() -> String) {
        let Some(restored) = self.0.get_mut(&(child.clone(), Cause::Others)) else { return };
        if restored.dispute.state == DisputeState::Restored {
            restored.dispute.state = state;
            restored.dispute.details = details();
        }
    }

    /// Records that this child was written at `now` although the spec had not changed, its state afterwards, and where the API server's
    /// answer differed. Returns what to report.
    pub(super) fn record(
        &mut self,
        child: &Child,
        cause: Cause,
        (now, generation): (Instant, Option<i64>),
        told: (&str, DisputeState, String),
        answer: Vec<Difference>,
    ) -> Dispute {
        self.0.retain(|_, restored| !restored.is_over(now.boottime));
        let key = (child.clone(), cause);
        let before = self.0.get(&key);
        let wait = before.map_or(FIRST, |before| (before.wait * 2).min(LONGEST));
        let (name, state, details) = told;
        let dispute = Dispute {
            child: name.to_owned(),
            state,
            details,
            times: before.map_or(1, |before| before.dispute.times.saturating_add(1)),
            since: before.map_or(now.wall, |before| before.dispute.since),
            until: SignedDuration::try_from(wait)
                .map_or(now.wall, |wait| now.wall.saturating_add(wait).unwrap_or(now.wall)),
        };
        if self.0.len() >= MOST && !self.0.contains_key(&key) {
            let oldest = self.0.iter().min_by_key(|(_, restored)| restored.at).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(
            key,
            Restoration { at: now.boottime, wait, generation, dispute: dispute.clone(), answer },
        );
        dispute
    }

    /// The API server has stored what was applied.
    pub(super) fn stored(&mut self, child: &Child) {
        self.0.remove(&(child.clone(), Cause::Admission));
    }

    /// A change of the spec was applied, independent of the intervals. If somebody changes it back, the intervals continue as before.
    pub(super) fn renewed(&mut self, child: &Child, generation: Option<i64>) {
        self.stored(child);
        if let Some(restored) = self.0.get_mut(&(child.clone(), Cause::Others)) {
            restored.generation = generation;
            restored.dispute.state = DisputeState::Restored;
        }
    }

    /// Where the API server's last answer differed from what was applied, as far as that was lately.
    pub(super) fn answer(&self, child: &Child, now: Instant) -> &[Difference] {
        let restored = self.0.get(&(child.clone(), Cause::Admission));
        restored.filter(|restored| !restored.is_over(now.boottime)).map_or(&[], |restored| &restored.answer)
    }

    /// What to report about a child while it has to wait, and for how long. A child that was restored only once is not in dispute.
    pub(super) fn disputes(&self, child: &Child, now: Instant) -> Vec<(Dispute, Duration)> {
        let told = [Cause::Others, Cause::Admission].into_iter().filter_map(|cause| {
            let wait = self.wait(child, cause, now)?;
            let dispute = &self.0.get(&(child.clone(), cause))?.dispute;
            (dispute.state != DisputeState::Restored || dispute.times > 1).then(|| (dispute.clone(), wait))
        });
        told.collect()
    }

    /// Forgets the children of an owner that is gone.
    pub(super) fn forget(&mut self, uid: &str) {
        self.0.retain(|(child, _), _| child.owner != uid);
    }
}

#[cfg(test)]
mod tests;
