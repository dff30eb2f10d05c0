//! Plays a script of faults, and notes what was done when.

use std::time::{Duration, Instant};

use kube_testkit::Cluster;
use overlap_checker::records::Stamp;

use crate::fleet::Fleet;
use crate::script::{Blow, Cue, Script};
use crate::settings::UNOWNED_BOUND;

/// How late a fault may be, waiting for somebody to be busy.
const PATIENCE: Duration = Duration::from_secs(3);

/// A fault that was inflicted.
#[derive(Debug, Clone)]
pub(crate) struct Inflicted {
    pub(crate) blow: Blow,
    /// The Pod; none for the API server.
    pub(crate) pod: Option<String>,
    pub(crate) at: Stamp,
    /// When it was taken back: the replica went on, or the API server was ready again.
    pub(crate) over: Option<Stamp>,
}

/// What was done, and what went wrong besides.
#[derive(Default)]
pub(crate) struct Chaos {
    pub(crate) inflicted: Vec<Inflicted>,
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
    /// Which of the faults inflicted.
    fault: usize,
}

impl Chaos {
    /// Plays it to its end. All replicas run again afterwards.
    pub(crate) async fn play(&mut self, script: &Script, fleet: &mut Fleet, cluster: &Cluster) {
        let mut started = Instant::now();
        for cue in &script.cues {
            self.wait_until(started + cue.at, fleet).await;
            // Where one fault took longer than planned, as an API server that starts on a busy machine, the others keep their
            // distance from it: all at once they would be another test.
            started += Instant::now().saturating_duration_since(started + cue.at);
            let patience = Instant::now() + PATIENCE;
            while !self.inflict(cue, Instant::now() < patience, fleet, cluster).await {
                self.wait_until(Instant::now() + Duration::from_millis(100), fleet).await;
            }
        }
        let last = self.recoveries.iter().map(|recovery| recovery.due).max();
        let end = started + script.lasts();
        self.wait_until(last.map_or(end, |last| last.max(end)), fleet).await;
        // One that was stopped last may find that it has to end, and is started again too.
        for _ in 0..2 {
            self.wait_until(Instant::now() + Duration::from_millis(500), fleet).await;
        }
    }

    /// Inflicts it, if there is somebody to inflict it on.
    async fn inflict(&mut self, cue: &Cue, choosy: bool, fleet: &mut Fleet, cluster: &Cluster) -> bool {
        let Some(index) = self.victim(cue, choosy, fleet) else { return false };
        if cue.blow == Blow::RestartApi {
            let at = Stamp::now().expect("the boot clock is there");
            cluster.restart_api_server().await.expect("the API server starts again");
            let over = Some(Stamp::now().expect("the boot clock is there"));
            self.inflicted.push(Inflicted { blow: cue.blow, pod: None, at, over });
            return true;
        }
        let at = match cue.blow {
            Blow::Kill => fleet.kill(index),
            Blow::Terminate => fleet.terminate(index),
            Blow::Freeze => fleet.freeze(index),
            Blow::RestartApi => unreachable!("done above"),
        };
        let Some(at) = at else { return false };
        self.taken.push(Instant::now());
        let pod = Some(fleet.pod(index).to_owned());
        let fault = self.inflicted.len();
        self.inflicted.push(Inflicted { blow: cue.blow, pod, at, over: None });
        self.recoveries.push(Recovery { due: Instant::now() + cue.away, index, fault });
        true
    }

    /// Lets replicas recover when it is time, until then.
    async fn wait_until(&mut self, then: Instant, fleet: &mut Fleet) {
        loop {
            self.problems.extend(fleet.mend().await);
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
        let fault = &mut self.inflicted[recovery.fault];
        if fault.blow == Blow::Freeze {
            fault.over = fleet.thaw(recovery.index);
        } else {
            self.problems.extend(fleet.restart(recovery.index).await);
        }
    }

    /// The cue's replica or the next one, if the test is choosy the next one that reconciles. None if it would leave nobody:
    /// somebody has to be there to take over, as what nobody can do is not tested.
    fn victim(&self, cue: &Cue, choosy: bool, fleet: &Fleet) -> Option<usize> {
        let running = fleet.running();
        let first = cue.victim.checked_rem(running.len())?;
        let candidates = running[first..].iter().chain(&running[..first]).copied();
        let fit = |index: &usize| if choosy { fleet.is_reconciling(*index) } else { fleet.has_begun(*index) };
        candidates.filter(fit).find(|index| self.leaves_an_heir(*index, fleet))
    }

    /// Whether another one watched already when the first of those was taken away whose shards may not have passed on yet. A
    /// replica that came later waits for LeaseDuration from its own first look, so the bound would count from there.
    fn leaves_an_heir(&self, victim: usize, fleet: &Fleet) -> bool {
        let now = Instant::now();
        let open =
            self.taken.iter().copied().find(|taken| now.saturating_duration_since(*taken) < UNOWNED_BOUND);
        let others = fleet.running().into_iter().filter(|other| *other != victim);
        let mut watching = others.filter_map(|other| fleet.watches_since(other));
        watching.any(|since| since <= open.unwrap_or(now))
    }
}
