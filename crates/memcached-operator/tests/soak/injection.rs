//! Injects the faults of a schedule, and notes what was done when.

use std::time::{Duration, Instant};

use kube_testkit::Cluster;
use overlap_checker::records::Stamp;

use crate::fault_schedule::{FaultKind, FaultSchedule, ScheduledFault};
use crate::fleet::Fleet;
use crate::settings::UNOWNED_BOUND;

/// How late a fault may be, waiting for a replica that reconciles.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// A fault that was injected.
#[derive(Debug, Clone)]
pub(crate) struct InjectedFault {
    pub(crate) kind: FaultKind,
    /// The Pod; none for the API server.
    pub(crate) pod: Option<String>,
    pub(crate) at: Stamp,
    /// When it was taken back: the replica went on, or the API server was ready again.
    pub(crate) over: Option<Stamp>,
}

/// What was done, and what went wrong besides.
#[derive(Default)]
pub(crate) struct Injection {
    pub(crate) injected: Vec<InjectedFault>,
    /// One sentence each.
    pub(crate) problems: Vec<String>,
    recoveries: Vec<Recovery>,
    /// When replicas were taken away, in order.
    taken: Vec<Instant>,
}

struct Recovery {
    due: Instant,
    /// Which replica.
    index: usize,
    /// Which of the faults injected.
    fault: usize,
}

impl Injection {
    /// Injects all of them, one after the other. All replicas run again afterwards.
    pub(crate) async fn run(&mut self, schedule: &FaultSchedule, fleet: &mut Fleet, cluster: &Cluster) {
        let mut started = Instant::now();
        for planned in &schedule.faults {
            self.wait_until(started + planned.at, fleet).await;
            // Where one fault took longer than planned, as an API server that starts on a busy machine, the others keep their
            // distance from it: all at once they would be another test.
            started += Instant::now().saturating_duration_since(started + planned.at);
            let latest = Instant::now() + LONGEST_WAIT;
            while !self.inject(planned, Instant::now() < latest, fleet, cluster).await {
                self.wait_until(Instant::now() + Duration::from_millis(100), fleet).await;
            }
        }
        let last = self.recoveries.iter().map(|recovery| recovery.due).max();
        let end = started + schedule.lasts();
        self.wait_until(last.map_or(end, |last| last.max(end)), fleet).await;
        // One that was stopped last may find that it has to end, and is started again too.
        for _ in 0..2 {
            self.wait_until(Instant::now() + Duration::from_millis(500), fleet).await;
        }
    }

    /// Injects it, if there is a replica that it may hit.
    async fn inject(
        &mut self,
        planned: &ScheduledFault,
        only_busy: bool,
        fleet: &mut Fleet,
        cluster: &Cluster,
    ) -> bool {
        let Some(index) = self.victim(planned, only_busy, fleet) else { return false };
        if planned.kind == FaultKind::RestartApi {
            let at = Stamp::now().expect("the boot clock is there");
            cluster.restart_api_server().await.expect("the API server starts again");
            let over = Some(Stamp::now().expect("the boot clock is there"));
            self.injected.push(InjectedFault { kind: planned.kind, pod: None, at, over });
            return true;
        }
        let at = match planned.kind {
            FaultKind::Kill => fleet.kill(index),
            FaultKind::Terminate => fleet.terminate(index),
            FaultKind::Freeze => fleet.freeze(index),
            FaultKind::RestartApi => unreachable!("done above"),
        };
        let Some(at) = at else { return false };
        self.taken.push(Instant::now());
        let pod = Some(fleet.pod(index).to_owned());
        let fault = self.injected.len();
        self.injected.push(InjectedFault { kind: planned.kind, pod, at, over: None });
        self.recoveries.push(Recovery { due: Instant::now() + planned.away, index, fault });
        true
    }

    /// Lets replicas recover when it is time, until then.
    async fn wait_until(&mut self, then: Instant, fleet: &mut Fleet) {
        loop {
            self.problems.extend(fleet.restart_ended().await);
            let next = self.recoveries.iter().map(|recovery| recovery.due).min();
            let due = next.filter(|due| *due <= then).unwrap_or(then);
            tokio::time::sleep_until(due.into()).await;
            let now = Instant::now();
            let (due, later) = std::mem::take(&mut self.recoveries)
                .into_iter()
                .partition::<Vec<_>, _>(|recovery| recovery.due <= now);
            self.recoveries = later;
            for recovery in due {
                self.recover(&recovery, fleet).await;
            }
            if now >= then {
                return;
            }
        }
    }

    async fn recover(&mut self, recovery: &Recovery, fleet: &mut Fleet) {
        let fault = &mut self.injected[recovery.fault];
        if fault.kind == FaultKind::Freeze {
            fault.over = fleet.thaw(recovery.index);
        } else {
            self.problems.extend(fleet.restart(recovery.index).await);
        }
    }

    /// The replica that was drawn or the next one; with `only_busy`, the next one that reconciles. None if no other replica could take
    /// over from it: such a fault would test nothing.
    fn victim(&self, planned: &ScheduledFault, only_busy: bool, fleet: &Fleet) -> Option<usize> {
        let running = fleet.running();
        let first = planned.victim.checked_rem(running.len())?;
        let candidates = running[first..].iter().chain(&running[..first]).copied();
        let fit =
            |index: &usize| if only_busy { fleet.is_reconciling(*index) } else { fleet.has_begun(*index) };
        candidates.filter(fit).find(|index| self.leaves_a_successor(*index, fleet))
    }

    /// Whether another replica already watched when the first of those was taken away whose shards may not have passed on yet. A
    /// replica that came later waits for LeaseDuration from its own first look, so the bound would count from there.
    fn leaves_a_successor(&self, victim: usize, fleet: &Fleet) -> bool {
        let now = Instant::now();
        let open =
            self.taken.iter().copied().find(|taken| now.saturating_duration_since(*taken) < UNOWNED_BOUND);
        let others = fleet.running().into_iter().filter(|other| *other != victim);
        let mut watching = others.filter_map(|other| fleet.watches_since(other));
        watching.any(|since| since <= open.unwrap_or(now))
    }
}
