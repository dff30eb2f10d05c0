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
//!   come. A first holder of a Lease that never was begins at 0. So may the first holder of one that a replica has deleted, because there was no such shard any more.
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
        let Some(spec) = &state.spec else {
            if state.by.is_some() {
                self.known.clear();
            }
            return;
        };
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
mod tests;
