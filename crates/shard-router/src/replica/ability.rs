//! Whether this replica is able to work on shards, or should leave them to others. Pure.
//!
//! If none of its shards can be worked on, the cause is the replica's connection or account, and other replicas may succeed. An annotation of
//! its member Lease informs them, and the plan gives shards to those that are able. The replica probes by itself whether it is able again,
//! after waits that double, so that shards do not move back and forth.

use lease_core::Monotonic;
use std::time::Duration;

use crate::observability::progress::WorkStatus;

/// The longest wait before a probe, in LeaseDurations.
const LONGEST: u32 = 20;

#[derive(Debug)]
pub(super) struct Ability {
    lease_duration: Duration,
    /// Why it is unable, and when to probe again.
    unable: Option<(String, Monotonic)>,
    /// How many times in a row it was found unable.
    times: u32,
    works_since: Option<Monotonic>,
}

impl Ability {
    pub(super) fn new(lease_duration: Duration) -> Self {
        Self { lease_duration, unable: None, times: 0, works_since: None }
    }

    /// Takes in whether the shards that are held are worked on.
    pub(super) fn observe(&mut self, work: WorkStatus, now: Monotonic) {
        match work {
            WorkStatus::Working => {
                self.unable = None;
                let since = *self.works_since.get_or_insert(now);
                if now.duration_since(since) > self.wait() {
                    self.times = 0;
                }
            }
            WorkStatus::Stuck(why) => {
                self.works_since = None;
                if self.unable.is_none() {
                    self.fails(why, now);
                }
            }
            WorkStatus::Unknown => self.works_since = None,
        }
    }

    /// Whether to list now, to find out whether this replica is able again.
    pub(super) fn is_probe_due(&self, now: Monotonic) -> bool {
        self.unable.as_ref().is_some_and(|(_, at)| *at <= now)
    }

    /// Takes in the result of a probe.
    pub(super) fn probed(&mut self, succeeded: bool, now: Monotonic) {
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

    fn stuck() -> WorkStatus {
        WorkStatus::Stuck("no list".into())
    }

    #[test]
    fn it_looks_again_after_waits_that_double_up_to_a_cap() {
        let mut ability = Ability::new(LEASE);
        let mut now = Monotonic::ORIGIN;
        ability.observe(stuck(), now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(ability.unable(), Some("no list"));
            let before = now;
            while !ability.is_probe_due(now) {
                now += Duration::from_secs(1);
            }
            waits.push((now.duration_since(before).as_secs()) / 15);
            ability.probed(false, now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 20, 20, 20]);
    }

    #[test]
    fn who_fails_again_soon_after_a_good_look_waits_longer_than_before() {
        let mut ability = Ability::new(LEASE);
        ability.observe(stuck(), Monotonic::ORIGIN);
        ability.probed(true, Monotonic::from_origin(LEASE));
        assert_eq!(ability.unable(), None);
        ability.observe(stuck(), Monotonic::from_origin(2 * LEASE));
        assert!(
            !ability.is_probe_due(Monotonic::from_origin(3 * LEASE))
                && ability.is_probe_due(Monotonic::from_origin(4 * LEASE))
        );
    }

    #[test]
    fn who_has_worked_for_long_enough_starts_anew() {
        let mut ability = Ability::new(LEASE);
        ability.observe(stuck(), Monotonic::ORIGIN);
        ability.probed(false, Monotonic::from_origin(LEASE));
        ability.observe(WorkStatus::Working, Monotonic::from_origin(2 * LEASE));
        assert_eq!(ability.unable(), None, "work is the best proof");
        ability.observe(WorkStatus::Working, Monotonic::from_origin(5 * LEASE));
        ability.observe(stuck(), Monotonic::from_origin(6 * LEASE));
        assert!(ability.is_probe_due(Monotonic::from_origin(7 * LEASE)));
    }
}
