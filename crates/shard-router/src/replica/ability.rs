//! Whether this replica is able to work on shards, or should leave them to others. Pure.
//!
//! What keeps a replica from its work as a whole lies with its connection or its account, and others may fare better. They
//! are told by an annotation of the member Lease, and the plan gives shards to whoever is able. A replica that is not
//! able looks again by itself, after a wait that doubles each time, so that shards are not passed to and fro.

use lease_core::Monotonic;
use std::time::Duration;

use crate::observability::progress::Work;

/// The longest wait before another look, in LeaseDurations.
const LONGEST: u32 = 20;

#[derive(Debug)]
pub(super) struct Ability {
    lease_duration: Duration,
    /// Why it is not able, and when to look again.
    unable: Option<(String, Monotonic)>,
    /// How often in a row it turned out not to be able.
    times: u32,
    works_since: Option<Monotonic>,
}

impl Ability {
    pub(super) fn new(lease_duration: Duration) -> Self {
        Self { lease_duration, unable: None, times: 0, works_since: None }
    }

    /// Takes in how the shards that are held fare.
    pub(super) fn saw(&mut self, work: Work, now: Monotonic) {
        match work {
            Work::Some => {
                self.unable = None;
                let since = *self.works_since.get_or_insert(now);
                if now.duration_since(since) > self.wait() {
                    self.times = 0;
                }
            }
            Work::Nothing(why) => {
                self.works_since = None;
                if self.unable.is_none() {
                    self.fails(why, now);
                }
            }
            Work::Unknown => self.works_since = None,
        }
    }

    /// Whether it is time for a list, to see whether this replica is able again.
    pub(super) fn is_to_look(&self, now: Monotonic) -> bool {
        self.unable.as_ref().is_some_and(|(_, at)| *at <= now)
    }

    /// What came of it.
    pub(super) fn looked(&mut self, succeeded: bool, now: Monotonic) {
        let Some((why, _)) = self.unable.take() else { return };
        if !succeeded {
            self.fails(why, now);
        }
    }

    /// Why this replica is not able to work; `None` if it is.
    pub(super) fn unable(&self) -> Option<&str> {
        self.unable.as_ref().map(|(why, _)| why.as_str())
    }

    fn fails(&mut self, why: String, now: Monotonic) {
        self.times = self.times.saturating_add(1);
        self.unable = Some((why, now + self.wait()));
    }

    fn wait(&self) -> Duration {
        self.lease_duration * 2_u32.saturating_pow(self.times.saturating_sub(1)).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn nothing() -> Work {
        Work::Nothing("no list".into())
    }

    #[test]
    fn it_looks_again_after_waits_that_double_up_to_a_cap() {
        let mut ability = Ability::new(LEASE);
        let mut now = Monotonic::ORIGIN;
        ability.saw(nothing(), Monotonic::from_origin(now.since_origin()));
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(ability.unable(), Some("no list"));
            let before = now;
            while !ability.is_to_look(Monotonic::from_origin(now.since_origin())) {
                now += Duration::from_secs(1);
            }
            waits.push((now.duration_since(before).as_secs()) / 15);
            ability.looked(false, Monotonic::from_origin(now.since_origin()));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 20, 20, 20]);
    }

    #[test]
    fn who_fails_again_soon_after_a_good_look_waits_longer_than_before() {
        let mut ability = Ability::new(LEASE);
        ability.saw(nothing(), Monotonic::ORIGIN);
        ability.looked(true, Monotonic::from_origin(LEASE));
        assert_eq!(ability.unable(), None);
        ability.saw(nothing(), Monotonic::from_origin(2 * LEASE));
        assert!(
            !ability.is_to_look(Monotonic::from_origin(3 * LEASE))
                && ability.is_to_look(Monotonic::from_origin(4 * LEASE))
        );
    }

    #[test]
    fn who_has_worked_for_long_enough_starts_anew() {
        let mut ability = Ability::new(LEASE);
        ability.saw(nothing(), Monotonic::ORIGIN);
        ability.looked(false, Monotonic::from_origin(LEASE));
        ability.saw(Work::Some, Monotonic::from_origin(2 * LEASE));
        assert_eq!(ability.unable(), None, "work is the best proof");
        ability.saw(Work::Some, Monotonic::from_origin(5 * LEASE));
        ability.saw(nothing(), Monotonic::from_origin(6 * LEASE));
        assert!(ability.is_to_look(Monotonic::from_origin(7 * LEASE)));
    }
}
