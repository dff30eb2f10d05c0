//! How soon a child is mended again: more and more seldom, if somebody else keeps writing the same fields.
//!
//! The first mending is immediate. The next may follow after `FIRST`, and each further one after twice the time, up to
//! `LONGEST`. A child that stays as applied for twice its time, and for `QUIET` at least, begins anew. Pure: the time comes
//! from the caller.

use std::collections::BTreeMap;
use std::time::Duration;

/// Between the first mending and the second.
const FIRST: Duration = Duration::from_secs(1);
/// What the time grows to.
const LONGEST: Duration = Duration::from_mins(5);
/// Less than that between two mendings is a dispute, so that a slow writer is met as well.
const QUIET: Duration = Duration::from_mins(1);
/// More children than that are not in dispute at once, unless something is wrong everywhere; the oldest entries go first.
const MOST: usize = 4096;

/// A child: the uid of its owner, and its kind.
type Child = (String, String);

#[derive(Clone, Copy, Debug)]
struct Mended {
    at: Duration,
    wait: Duration,
}

impl Mended {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) >= QUIET.max(self.wait * 2)
    }
}

/// The children mended lately. Each entry ends with its owner, or when the child has stayed as applied for long enough.
#[derive(Debug, Default)]
pub struct Mendings(BTreeMap<Child, Mended>);

impl Mendings {
    /// How long to leave this child alone from `now` on, if at all.
    pub(super) fn wait(&self, uid: &str, kind: &str, now: Duration) -> Option<Duration> {
        let mended = self.0.get(&child(uid, kind)).filter(|mended| !mended.is_over(now))?;
        (mended.at + mended.wait).checked_sub(now).filter(|wait| !wait.is_zero())
    }

    /// Notes that this child was written at `now` although nothing new was asked for.
    pub(super) fn mended(&mut self, uid: &str, kind: &str, now: Duration) {
        self.0.retain(|_, mended| !mended.is_over(now));
        let child = child(uid, kind);
        let wait = self.0.get(&child).map_or(FIRST, |before| (before.wait * 2).min(LONGEST));
        if self.0.len() >= MOST && !self.0.contains_key(&child) {
            let oldest = self.0.iter().min_by_key(|(_, mended)| mended.at).map(|(child, _)| child.clone());
            self.0.remove(&oldest.unwrap_or_default());
        }
        self.0.insert(child, Mended { at: now, wait });
    }

    /// Forgets the children of an owner that is gone.
    pub(super) fn forget(&mut self, uid: &str) {
        self.0.retain(|(owner, _), _| owner != uid);
    }
}

fn child(uid: &str, kind: &str) -> Child {
    (uid.to_owned(), kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a child is mended that somebody changes back every `period`, in milliseconds.
    fn times(period: u64, until: u64) -> Vec<u64> {
        let mut mendings = Mendings::default();
        let mut times = Vec::new();
        let mut differs = false;
        for now in 0..until {
            differs |= now % period == 0;
            let at = Duration::from_millis(now);
            if differs && mendings.wait("a", "Service", at).is_none() {
                mendings.mended("a", "Service", at);
                times.push(now);
                differs = false;
            }
        }
        times
    }

    #[test]
    fn each_mending_waits_twice_as_long_up_to_a_cap() {
        let mended = times(10, 2_000_000);
        let gaps: Vec<u64> = mended.windows(2).map(|pair| (pair[1] - pair[0]) / 1000).collect();
        assert_eq!(gaps, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    }

    #[test]
    fn a_slow_writer_is_met_as_well_and_a_rare_one_is_answered_at_once() {
        assert!(times(3_000, 600_000).len() < 12, "{:?}", times(3_000, 600_000));
        assert_eq!(times(120_000, 600_000), [0, 120_000, 240_000, 360_000, 480_000]);
    }

    #[test]
    fn children_are_kept_apart_and_end_with_their_owner_or_in_time() {
        let second = Duration::from_secs;
        let mut mendings = Mendings::default();
        mendings.mended("a", "Service", second(0));
        assert_eq!(mendings.wait("a", "Service", second(0)), Some(FIRST));
        assert!(mendings.wait("a", "StatefulSet", second(0)).is_none());
        assert!(mendings.wait("b", "Service", second(0)).is_none());
        mendings.forget("a");
        assert!(mendings.0.is_empty());
        mendings.mended("a", "Service", second(0));
        mendings.mended("b", "Service", second(90));
        assert_eq!(mendings.0.len(), 1, "what is over is dropped");
    }

    #[test]
    fn there_is_a_most() {
        let mut mendings = Mendings::default();
        for owner in 0..MOST + 10 {
            mendings.mended(&owner.to_string(), "Service", Duration::from_micros(owner as u64));
        }
        assert_eq!(mendings.0.len(), MOST);
        assert!(!mendings.0.contains_key(&child("0", "Service")));
    }
}
