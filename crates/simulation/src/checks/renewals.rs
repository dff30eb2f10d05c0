//! What a Lease says, from one state to the next, as far as replicas wrote it:
//!
//! - resourceVersion grows, an update keeps the uid, a new object has a new one;
//! - a replica names itself, or [nobody](lease_core::NOBODY) on a Lease that it creates; it releases only what
//!   names itself;
//! - the record of a holder states the configured LeaseDuration;
//! - renewTime grows with each write upon a state that has one. (A Lease made anew may begin earlier: its creator's wall
//!   clock may be behind.)
//! - acquireTime changes with the holder only;
//! - leaseTransitions stays as it is under one holder, and is one more than the largest known to whoever becomes the
//!   holder. What it knows is at least the state that it replaces, and what it wrote into renewals and releases of this
//!   Lease before; and at most the largest that ever was. A Lease in nobody's name carries the number of the holder to
//!   come. A first holder of a Lease that never was begins at 0.
//!
//! A restore of etcd takes resourceVersions and uids back to the backup: they are compared within an epoch, and the first write after the
//! restore with the state that the backup has. What only grows goes on: a replica that knew of a larger leaseTransitions still does.

use std::collections::{HashMap, HashSet};

use super::Check;
use super::leases::Histories;
use crate::observations::{LeaseSpec, LeaseState, Observations};

/// Judges every write of a replica.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>) -> Check {
    let mut check = Check::new("renewals");
    for (_, states) in histories.all() {
        let mut memory = Memory::default();
        let mut before: Option<&LeaseState> = None;
        for state in states {
            let restored_since = |before: &&LeaseState| {
                observations.restores.iter().any(|restore| before.at < *restore && *restore <= state.at)
            };
            if before.as_ref().is_some_and(restored_since) {
                memory.uids.clear();
                before = None;
            }
            if state.restored {
                memory.take(None, state);
                before = state.spec.is_some().then_some(state);
                continue;
            }
            if state.by.is_some() {
                check.judged += 1;
            }
            for wrong in memory.wrong(before, state, observations) {
                let by = state.by.as_ref().map_or("a user", |by| &by.0);
                let sentence = format!("{by} wrote {} at {}: {wrong}.", state.name, state.at);
                check.violated(state.at, sentence);
            }
            memory.take(before, state);
            before = Some(state);
        }
    }
    check
}

/// What became known of one Lease.
#[derive(Default)]
struct Memory<'a> {
    uids: HashSet<&'a str>,
    /// The largest leaseTransitions that a holder ever had.
    most: Option<i64>,
    /// The largest that each replica certainly knows of.
    known: HashMap<&'a str, i64>,
}

impl<'a> Memory<'a> {
    fn take(&mut self, before: Option<&'a LeaseState>, state: &'a LeaseState) {
        let Some(spec) = &state.spec else { return };
        self.uids.insert(&state.uid);
        self.most = self.most.max(used(spec));
        let held = |of: Option<&'a LeaseState>, by: &str| {
            of.and_then(|of| of.spec.as_ref()).is_some_and(|spec| spec.held_by() == Some(by))
        };
        // Of an acquisition it may never have heard the answer, but who writes upon its own state has seen that.
        if let (Some(by), Some(number)) = (&state.by, used(spec))
            && held(before, &by.0)
        {
            let known = self.known.entry(&by.0).or_insert(number);
            *known = number.max(*known);
        }
    }

    fn wrong(
        &self,
        before: Option<&LeaseState>,
        state: &LeaseState,
        observations: &Observations,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        if state.spec.is_none() {
            return wrong;
        }
        let mut demand = |fine: bool, sentence: &dyn Fn() -> String| {
            if !fine {
                wrong.push(sentence());
            }
        };
        let replaced = before.filter(|before| before.spec.is_some());
        if let Some(before) = before {
            demand(state.version > before.version, &|| {
                format!("resourceVersion is {} after {}", state.version, before.version)
            });
        }
        match replaced {
            Some(before) => demand(state.uid == before.uid, &|| {
                format!("an update changed the uid from {} to {}", before.uid, state.uid)
            }),
            None => demand(!self.uids.contains(state.uid.as_str()), &|| {
                format!("a deleted Lease is back with its uid {}", state.uid)
            }),
        }
        let (Some(by), Some(spec)) = (&state.by, &state.spec) else { return wrong };
        let old = replaced.and_then(|before| before.spec.as_ref());
        let named = if spec.is_reserved() {
            replaced.is_none()
        } else {
            spec.held_by().is_none_or(|name| name == by.0)
        };
        demand(named, &|| format!("it names {} as its holder", spec.holder));
        if spec.held_by().is_some() {
            let stated = observations.schedule.timings.lease_duration;
            demand(spec.duration == stated, &|| {
                format!("it states a LeaseDuration of {:?} and not {stated:?}", spec.duration)
            });
        }
        if let Some(old) = old {
            demand(spec.renewed > old.renewed, &|| {
                format!("renewTime is {} after {}", time(spec.renewed), time(old.renewed))
            });
        }
        wrong.extend(self.wrong_holder(old, spec, &by.0));
        wrong
    }

    fn wrong_holder(&self, old: Option<&LeaseSpec>, spec: &LeaseSpec, by: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let was_own = old.is_some_and(|old| old.held_by() == Some(by));
        if spec.holder.is_empty() && (old.is_some() || !spec.is_released()) {
            if !was_own || !spec.is_released() {
                wrong
                    .push("it is a release of what the writer did not hold, or no proper release".to_owned());
            } else if old.is_some_and(|old| old.transitions != spec.transitions) {
                wrong.push(format!("a release changed leaseTransitions to {}", spec.transitions));
            }
        } else if was_own && let Some(old) = old {
            if spec.transitions != old.transitions {
                let numbers = format!("from {} to {}", old.transitions, spec.transitions);
                wrong.push(format!("leaseTransitions went {numbers} under one holder"));
            }
            if spec.acquired != old.acquired {
                wrong.push("acquireTime changed under one holder".to_owned());
            }
        } else if spec.held_by().is_some() || spec.is_reserved() {
            let known = old.and_then(used).max(self.known.get(by).copied());
            let least = known.map_or(0, |known| known + 1);
            let most = self.most.map_or(0, |most| most + 1);
            // A coordinator that makes a Lease for others to take does not count.
            let born = spec.is_reserved() && spec.transitions == 0;
            if !born && !(least..=most.max(least)).contains(&spec.transitions) {
                wrong.push(format!(
                    "leaseTransitions of the new holder is {} and not {least} to {}",
                    spec.transitions,
                    most.max(least)
                ));
            }
        }
        wrong
    }
}

/// The number of the last holder.
fn used(spec: &LeaseSpec) -> Option<i64> {
    if spec.is_reserved() {
        (spec.transitions > 0).then(|| spec.transitions - 1)
    } else {
        Some(spec.transitions)
    }
}

fn time(at: Option<jiff::Timestamp>) -> String {
    at.map_or_else(|| "absent".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only_of};

    const LEASE: &str = "op-shard-0";

    fn held() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0).wrote(LEASE, "a", 20_000, 20_001, "a", 1);
        run
    }

    /// How many violations `tell` adds.
    fn found(count: usize, tell: impl Fn(&mut RunBuilder)) -> Vec<String> {
        let mut run = held();
        tell(&mut run);
        only_of(&run, "renewals", count)
    }

    #[test]
    fn transitions_count_the_holders() {
        found(0, |run| {
            run.wrote(LEASE, "a", 21_000, 21_001, "a", 1).wrote(LEASE, "b", 50_000, 50_001, "b", 2);
        });
        for number in [1, 3] {
            let sentences = found(1, |run| {
                run.wrote(LEASE, "b", 50_000, 50_001, "b", number);
            });
            assert!(sentences[0].contains("of the new holder is"), "{sentences:?}");
        }
        found(1, |run| {
            run.wrote(LEASE, "a", 21_000, 21_001, "a", 2);
        });
    }

    #[test]
    fn a_lease_made_anew_goes_on_from_what_its_acquirer_knew() {
        // B saw 2, since it wrote a renewal with it; A knows of 1 only.
        let tell = |run: &mut RunBuilder, taker: &str, number| {
            run.wrote(LEASE, "b", 40_000, 40_001, "b", 2).wrote(LEASE, "b", 41_000, 41_001, "b", 2);
            run.deleted(LEASE, None, 42_000).reserved(LEASE, "b", 42_100, 0);
            run.wrote(LEASE, taker, 60_000, 60_001, taker, number);
        };
        found(0, |run| tell(run, "b", 3));
        found(1, |run| tell(run, "b", 2));
        found(0, |run| tell(run, "a", 2));
        found(1, |run| tell(run, "a", 4));
    }

    #[test]
    fn after_a_restore_of_etcd_versions_go_back_once_and_transitions_go_on_from_what_is_known() {
        // B knows of 2, A of 3 at most before the restore. The backup has A's with 1, and a version that was given long ago.
        let tell = |run: &mut RunBuilder, number, version| {
            let held = run.observations.leases.iter().rfind(|state| state.name == LEASE);
            let mut backup = held.expect("told").clone();
            let given = backup.version;
            run.wrote(LEASE, "b", 40_000, 40_001, "b", 2).wrote(LEASE, "b", 41_000, 41_001, "b", 2);
            run.wrote(LEASE, "a", 60_000, 60_001, "a", 3);
            (backup.at, backup.sent, backup.by, backup.restored) = (at(80_000), at(80_000), None, true);
            run.observations.restores.push(at(80_000));
            run.observations.leases.push(backup);
            run.wrote(LEASE, "b", 100_000, 100_001, "b", number);
            run.observations.leases.last_mut().expect("told").version = given + version;
        };
        for number in [3, 4] {
            found(0, |run| tell(run, number, 1));
        }
        for number in [2, 5] {
            let sentences = found(1, |run| tell(run, number, 1));
            assert!(sentences[0].contains("of the new holder is"), "{sentences:?}");
        }
        let sentences = found(1, |run| tell(run, 3, 0));
        assert!(sentences[0].contains("resourceVersion is"), "{sentences:?}");
        // The same without a word about a restore: then A's 3 is what it replaces, too.
        let sentences = found(2, |run| {
            tell(run, 3, 1);
            run.observations.restores.clear();
            run.observations.leases.retain(|state| !state.restored);
        });
        assert!(sentences[0].contains("resourceVersion is"), "{sentences:?}");
    }

    #[test]
    fn a_lease_that_the_backup_does_not_have_begins_again_below() {
        found(0, |run| {
            run.observations.restores.push(at(80_000));
            run.wrote(LEASE, "a", 100_000, 100_001, "a", 2);
            let anew = run.observations.leases.last_mut().expect("told");
            (anew.version, anew.uid) = (1, "anew".to_owned());
        });
    }

    #[test]
    fn renew_time_and_version_grow() {
        found(1, |run| {
            run.wrote(LEASE, "a", 21_000, 21_001, "a", 1);
            run.last_lease().renewed = jiff::Timestamp::from_millisecond(19_000).ok();
        });
        found(1, |run| {
            run.wrote(LEASE, "a", 21_000, 21_001, "a", 1);
            run.observations.leases.last_mut().expect("told").version = 1;
        });
    }

    #[test]
    fn who_names_another_or_brings_back_the_dead_is_caught() {
        let sentences = found(1, |run| {
            run.wrote(LEASE, "b", 50_000, 50_001, "c", 2);
        });
        assert!(sentences[0].contains("it names c_1 as its holder"), "{sentences:?}");
        found(1, |run| {
            run.deleted(LEASE, None, 42_000).wrote(LEASE, "a", 43_000, 43_001, "a", 2);
            let uid = run.observations.leases[run.observations.leases.len() - 2].uid.clone();
            run.observations.leases.last_mut().expect("told").uid = uid;
        });
    }

    #[test]
    fn a_hand_may_write_what_it_likes() {
        found(0, |run| {
            run.blanked(LEASE, 21_000).wrote(LEASE, "a", 40_000, 40_001, "a", 2);
        });
    }
}
