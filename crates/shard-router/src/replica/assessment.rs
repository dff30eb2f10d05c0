//! Whether this replica is ready, and whether it is able to work at all.

use std::time::Duration;

use lease_core::Health;
use parking_lot::MutexGuard;

use super::{Replica, ability::Ability};
use crate::{membership::committed::Verdict, observability::readiness::Readiness};

impl Replica {
    /// Monitors whether this replica is able to work, and informs the others. Never ends by itself.
    pub(super) async fn monitor_ability(&self) {
        let timings = self.elections.options().timings;
        let name = self.member.lease().clone();
        let annotation = self.setup.names.unable_annotation();
        loop {
            self.setup.clock.sleep(timings.hurried_retry()).await;
            let now = self.setup.clock.now().monotonic;
            let work = self.kinds.work(timings.lease_duration());
            let (before, after, probe) = {
                let mut ability = self.ability();
                let before = ability.unable().map(str::to_owned);
                ability.observe(work, now);
                (before, ability.unable().map(str::to_owned), ability.is_probe_due(now))
            };
            if let (None, Some(why)) = (before, &after) {
                tracing::warn!("this replica leaves its shards to others, if they are able to work: {why}");
            }
            if probe {
                let succeeded = self.can_list().await;
                self.ability().probed(succeeded, self.setup.clock.now().monotonic);
            }
            let unable = self.ability().unable().is_some();
            let told = self.elections.leases().get(&name).is_some_and(|lease| {
                lease.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(&annotation))
            });
            if unable != told && self.member.term().is_some() {
                let wish = [(annotation.clone(), unable.then(|| "true".to_owned()))].into();
                tokio::select! {
                    _ = self.member.annotate(wish) => {}
                    () = self.setup.clock.sleep(timings.retry_period()) => {}
                }
            }
        }
    }

    /// Whether the resources of all kinds can be listed, and each owned type, within RetryPeriod.
    async fn can_list(&self) -> bool {
        tokio::select! {
            listed = self.kinds.can_list() => listed,
            () = self.setup.clock.sleep(self.elections.options().timings.retry_period()) => false,
        }
    }

    pub(super) fn ability(&self) -> MutexGuard<'_, Ability> {
        self.ability.lock()
    }

    pub(super) fn assess(&self, verdict: Option<&Verdict>, has_worked: bool) {
        let because = why_not_ready(&Facts {
            verdict,
            has_worked,
            coordination_problem: self.setup.coordination_problem.get(),
            health: &self.elections.health(),
            lease_duration: self.elections.options().timings.lease_duration(),
            problem: self.setup.problem(&self.kinds),
            unable: self.ability().unable(),
        });
        self.setup.metrics.ready(because.is_none());
        let now = self.setup.clock.now().monotonic;
        self.readiness.set(because.map_or(Readiness::Ready, |because| Readiness::NotReady { because }), now);
    }
}

/// The inputs of a replica's readiness.
struct Facts<'a> {
    /// What the Leases permit it; `None` until they are known.
    verdict: Option<&'a Verdict>,
    /// Whether the Leases have permitted it to work before.
    has_worked: bool,
    /// What keeps it from committing a layout.
    coordination_problem: Option<String>,
    health: &'a Health,
    lease_duration: Duration,
    /// What keeps it from working on its shards.
    problem: Option<String>,
    /// Why it leaves its shards to others.
    unable: Option<&'a str>,
}

/// Why a replica is not ready, in one sentence; `None` if it is. Of several reasons, the one that has to be dealt with first.
///
/// A replica that waits until its predecessor ends is ready, otherwise a rolling update from that version would not continue. A replica that has lost
/// its work to a predecessor is not ready. The same holds for one that waits to replace the layout.
fn why_not_ready(facts: &Facts<'_>) -> Option<String> {
    let Facts { verdict, has_worked, coordination_problem, health, lease_duration, problem, unable } = facts;
    let unanswered = || health.unanswered.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    match verdict {
        Some(Verdict::Refuse(sentence)) => Some(sentence.clone()),
        Some(Verdict::Yield(sentence) | Verdict::Replace(sentence)) if *has_worked => Some(sentence.clone()),
        Some(Verdict::Wait) if coordination_problem.is_some() => coordination_problem.clone(),
        _ if !health.problems.is_empty() => Some(health.problems[0].sentence.clone()),
        None => Some(format!(
            "the Leases have not been listed yet{}; is the API server reachable from this Pod?",
            unanswered()
        )),
        _ if health.silent_for > *lease_duration => Some(format!(
            "nothing was heard from the API server for longer than LeaseDuration ({} s){}; is it reachable from this Pod?",
            lease_duration.as_secs(),
            unanswered()
        )),
        _ if problem.is_some() => problem.clone(),
        _ => unable.map(|why| {
            format!("this replica could not work on its shards and checks from time to time whether it can again; {why}")
        }),
    }
}

#[cfg(test)]
mod tests;
