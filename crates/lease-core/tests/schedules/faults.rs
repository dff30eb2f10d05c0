//! What goes wrong, and how it is put right again.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use lease_core::{Event, Identity, Successors};

use super::network::{Spell, SpellKind, any_failure};
use super::node::Inward;
use super::queue::Happening;
use super::{Violation, World};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGSTOP: the clocks go on, the process does not.
    Pause,
    /// The machine sleeps: only `CLOCK_BOOTTIME` goes on.
    Suspend,
    /// The process dies, and another one starts later.
    Crash,
    /// The watch shows nothing any more and does not close.
    HangWatch,
    /// Requests get lost for a while.
    Cut,
    /// Answers get lost for a while.
    Deaf,
    /// The API server refuses for a while.
    Problem,
    /// Somebody sets the wall clock.
    JumpWall,
    /// Somebody deletes the Lease.
    Delete,
    /// Somebody takes the holder out.
    Blank,
    /// Somebody writes another holder in.
    Overwrite,
    /// Somebody edits a label.
    Touch,
    /// The process is to give the Lease up in favour of somebody.
    StepDown,
    /// The process is not to contend for a while.
    SitOut,
    /// The work shows no sign of life for a while.
    Wedge,
    /// Somebody writes another holder with a short LeaseDuration over a leader that is cut off.
    Shorten,
    /// A stranger takes the Lease of a leader that is cut off, and releases it soon after.
    Usurp,
    /// The Lease of a leader that is cut off is deleted, and a stranger creates it anew and releases it soon after.
    Replace,
    /// etcd is restored from a backup.
    Rewind,
}

impl Fault {
    pub(crate) const ALL: [Self; 19] = [
        Self::Pause,
        Self::Suspend,
        Self::Crash,
        Self::HangWatch,
        Self::Cut,
        Self::Deaf,
        Self::Problem,
        Self::JumpWall,
        Self::Delete,
        Self::Blank,
        Self::Overwrite,
        Self::Touch,
        Self::StepDown,
        Self::SitOut,
        Self::Wedge,
        Self::Shorten,
        Self::Usurp,
        Self::Replace,
        Self::Rewind,
    ];

    /// Its name in the statistics, where it struck while a write was in flight.
    pub(crate) fn in_flight(self) -> &'static str {
        match self {
            Self::Pause => "pause, write in flight",
            Self::Suspend => "suspend, write in flight",
            Self::Crash => "crash, write in flight",
            Self::HangWatch => "hanging watch, write in flight",
            Self::Cut => "requests cut off, write in flight",
            Self::Deaf => "answers cut off, write in flight",
            Self::Problem => "spell of refusals, write in flight",
            Self::JumpWall => "wall clock set, write in flight",
            Self::Delete => "Lease deleted, write in flight",
            Self::Blank => "holder blanked, write in flight",
            Self::Overwrite => "holder overwritten, write in flight",
            Self::Touch => "label edited, write in flight",
            Self::StepDown => "step down, write in flight",
            Self::SitOut => "told not to contend, write in flight",
            Self::Wedge => "work wedged, write in flight",
            Self::Shorten => "shorter LeaseDuration written, write in flight",
            Self::Usurp => "Lease taken by a stranger, write in flight",
            Self::Replace => "Lease created anew by a stranger, write in flight",
            Self::Rewind => "etcd restored, write in flight",
        }
    }
}

impl World {
    /// Chooses a fault, and strikes now or with the next write that is sent.
    pub(crate) fn next_fault(&mut self) -> Result<(), Violation> {
        if self.calm || self.plan.faults.is_empty() {
            return Ok(());
        }
        let pause = self.plan.every.mul_f64(-(1.0 - self.rng.f64()).ln());
        self.queue.push(self.now + pause, Happening::NextFault);
        let fault = *self.rng.choice(&self.plan.faults).expect("not empty");
        if self.rng.bool() {
            self.ambush = Some(fault);
            return Ok(());
        }
        let valid = (0..self.nodes.len()).find(|&node| self.nodes[node].is_valid(self.now));
        let any = self.rng.usize(0..self.nodes.len());
        let node = valid.filter(|_| self.rng.u8(0..3) > 0).unwrap_or(any);
        self.strike(node, fault)
    }

    pub(crate) fn strike(&mut self, node: usize, fault: Fault) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        self.trace(|| format!("fault: {fault:?} at node {node}"));
        if self.nodes[node].has_write_in_flight() {
            self.stats.count(fault.in_flight());
        }
        let until = self.now + self.plan.longest_lease().mul_f64(0.05 + 2.0 * self.rng.f64().powi(2));
        self.queue.push(until, Happening::Remedy { node });
        match fault {
            Fault::Pause => self.nodes[node].paused_until = Some(until),
            Fault::Suspend => {
                self.nodes[node].suspended_until = Some(until);
                self.nodes[node].clocks.suspend(self.now);
            }
            Fault::Crash => self.crash(node, until),
            Fault::HangWatch => {
                self.nodes[node].watch.hung_until = Some(until);
                if self.rng.bool() {
                    self.receive(node, Inward::Told(Event::WatchHealthy(false)))?;
                }
            }
            Fault::Cut | Fault::Deaf | Fault::Problem => self.spell(node, fault, until),
            Fault::JumpWall => {
                self.nodes[node].clocks.jump(SignedDuration::from_millis(self.rng.i64(-600_000..600_000)));
            }
            Fault::Shorten => self.shorten(node),
            Fault::Usurp => self.usurp(node),
            Fault::Replace => self.replace(node),
            Fault::Rewind => self.begin_rewind(),
            Fault::Delete | Fault::Blank | Fault::Overwrite | Fault::Touch => self.manual_edit(fault),
            Fault::StepDown => {
                let successor = self.rng.bool().then(|| self.somebody());
                self.receive(node, Inward::Told(Event::StepDown { successor }))?;
                // What the others know of who stays is as good or as bad as their view.
                let (other, stays) = (self.rng.usize(0..self.nodes.len()), self.somebody());
                let successors = Successors::Among(Arc::new([stays].into()));
                self.receive(other, Inward::Told(Event::Successors(successors)))?;
            }
            Fault::SitOut => {
                self.receive(node, Inward::Told(Event::Contend(false)))?;
                if let Some(process) = &mut self.nodes[node].process {
                    process.sits_until = Some(until);
                }
                if self.rng.bool() {
                    self.receive(node, Inward::Told(Event::StepDown { successor: None }))?;
                }
            }
            Fault::Wedge => {
                if let Some(process) = &mut self.nodes[node].process {
                    process.wedged_until = Some(until);
                }
            }
        }
        Ok(())
    }

    fn spell(&mut self, node: usize, fault: Fault, until: Duration) {
        let kind = match fault {
            Fault::Cut => SpellKind::Cut,
            Fault::Deaf => SpellKind::Deaf,
            _ => SpellKind::Problem(any_failure(&mut self.rng)),
        };
        self.network.add(Spell { until, node: self.rng.bool().then_some(node), kind });
    }

    fn manual_edit(&mut self, fault: Fault) {
        match fault {
            Fault::Delete => self.api.delete(),
            Fault::Blank => self.api.blank(),
            Fault::Overwrite => self.api.overwrite(Identity::new("a-stranger_0").expect("not empty")),
            _ => self.api.touch(),
        };
        self.stir_watches();
    }

    fn somebody(&mut self) -> Identity {
        let any = self.rng.usize(0..self.nodes.len());
        let process = self.nodes[any].process.as_ref();
        process.map_or_else(
            || Identity::new("somebody-who-left_0").expect("not empty"),
            |process| process.identity.clone(),
        )
    }

    fn crash(&mut self, node: usize, until: Duration) {
        self.nodes[node].process = None;
        self.nodes[node].down_until = Some(until);
    }

    /// The process ends itself, because its work does not.
    pub(crate) fn end_process(&mut self, node: usize) {
        self.stats.count("process ended, work could not be joined");
        let until = self.now + Duration::from_secs(1);
        self.crash(node, until);
        self.queue.push(until, Happening::Remedy { node });
    }

    /// Puts right whatever is due to be put right at this node; everything, once the schedule has become calm.
    pub(crate) fn remedy(&mut self, node: usize) -> Result<(), Violation> {
        let (now, calm, earliest_start) = (self.now, self.calm, self.nobody_starts_before);
        let due = |until: &mut Option<Duration>| until.take_if(|until| *until <= now || calm).is_some();
        let at = &mut self.nodes[node];
        let thawed = due(&mut at.paused_until) | due(&mut at.suspended_until);
        if at.suspended_until.is_none() {
            at.clocks.wake(now);
        }
        let mut orders = Vec::new();
        if due(&mut at.watch.hung_until) {
            if self.rng.bool() {
                // A new list: only the last state is shown.
                at.watch.cursor = at.watch.cursor.max(self.api.log().len().saturating_sub(1));
            }
            orders.push(Event::WatchHealthy(true));
        }
        let restarts = (calm || now >= earliest_start) && due(&mut at.down_until);
        if let Some(process) = &mut at.process {
            due(&mut process.wedged_until);
            if due(&mut process.sits_until) {
                orders.push(Event::Contend(true));
            }
        }
        if restarts {
            self.start(node)?;
        }
        if thawed {
            self.thaw(node)?;
        }
        for order in orders {
            self.receive(node, Inward::Told(order))?;
        }
        self.stir_watches();
        Ok(())
    }
}
