//! The nodes' side: events go into the electors, and what they ask for is done.

use std::time::Duration;

use lease_core::{Context, Effect, EndReason, Event, Monotonic, Write};

use super::annotations;
use super::network::{Fate, LATENCY};
use super::node::{Inward, Pending, Work};
use super::queue::{Answer, Happening, Request};
use super::{Violation, World};

impl World {
    /// Something comes in for a node; a stopped one gets it when it goes on, a dead one never.
    pub(crate) fn receive(&mut self, node: usize, inward: Inward) -> Result<(), Violation> {
        let frozen = self.nodes[node].is_frozen();
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        if frozen {
            process.inbox.push(inward);
            return Ok(());
        }
        match inward {
            Inward::Told(event) => self.tell(node, event),
            Inward::Answer { request, answer } => {
                if process.request.take_if(|pending| pending.id == request).is_none() {
                    return Ok(());
                }
                let event = match answer {
                    Answer::Read(version, lease) => {
                        process.ledger.reads(version, lease.as_ref());
                        Event::Read(lease)
                    }
                    Answer::ReadFailed { retry_after } => Event::ReadFailed { retry_after },
                    Answer::Landed(attempt, lease) => Event::WriteLanded(attempt, lease),
                    Answer::Refused(attempt, refusal) => Event::WriteRefused(attempt, refusal),
                    Answer::Unknown(attempt) => Event::WriteUnknown(attempt),
                };
                self.tell(node, event)
            }
            Inward::WorkEnded(number) => {
                // In calm times no work returns that was not asked to.
                let ends = |work: &mut Work| work.number == number && (work.ending || !self.calm);
                let Some(Work { ending, writes_until, .. }) = process.work.take_if(ends) else {
                    return Ok(());
                };
                self.leave_writes(node, writes_until)?;
                self.stats.count(if ending { "work ended" } else { "work returned early" });
                self.tell(node, Event::WorkEnded)
            }
        }
    }

    /// A stopped process goes on: it finds what came meanwhile, and that its deadlines have passed, in either order.
    pub(crate) fn thaw(&mut self, node: usize) -> Result<(), Violation> {
        if self.nodes[node].is_frozen() {
            return Ok(());
        }
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let inbox = std::mem::take(&mut process.inbox);
        if self.rng.bool() {
            self.look_at_the_clock(node)?;
        }
        for inward in inbox {
            self.receive(node, inward)?;
        }
        self.set_alarm(node);
        Ok(())
    }

    /// A deadline may have come.
    pub(crate) fn alarm(&mut self, node: usize, number: u64) -> Result<(), Violation> {
        if self.nodes[node].alarm != number || self.nodes[node].is_frozen() {
            return Ok(());
        }
        self.look_at_the_clock(node)
    }

    fn look_at_the_clock(&mut self, node: usize) -> Result<(), Violation> {
        let now = self.nodes[node].clocks.now(self.now).monotonic;
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let event = match process.request.take_if(|pending| pending.deadline <= now) {
            Some(Pending { write: Some(attempt), .. }) => Event::WriteUnknown(attempt),
            Some(Pending { write: None, .. }) => Event::ReadFailed { retry_after: None },
            None => Event::Timeout,
        };
        self.tell(node, event)
    }

    /// Hands an event to the elector and does what it asks for.
    pub(crate) fn tell(&mut self, node: usize, event: Event) -> Result<(), Violation> {
        let at = &mut self.nodes[node];
        let Some(process) = &mut at.process else { return Ok(()) };
        let cx = Context {
            now: at.clocks.now(self.now),
            wall: at.clocks.wall(self.now),
            roll: self.rng.f64(),
            work_alive: process.wedged_until.is_none(),
        };
        process.ledger.observe(&event, &process.identity);
        annotations::observe(&mut process.annotations, &event);
        let heard = if self.tracing { format!("{event:?}") } else { String::new() };
        process.elector.handle(event, &cx);
        let effects: Vec<_> = std::iter::from_fn(|| process.elector.poll_effect()).collect();
        if self.tracing {
            let state = process.elector.state();
            self.trace(|| format!("node {node} {state:?} after {heard}: {effects:?}"));
        }
        for effect in effects {
            self.perform(node, effect)?;
        }
        self.check_told(node)?;
        self.set_alarm(node);
        Ok(())
    }

    fn perform(&mut self, node: usize, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Read => self.send(node, None),
            Effect::Write(write) => {
                self.check_sent(node, &write)?;
                self.send(node, Some(write));
            }
            Effect::StartWork(token) => {
                self.check_start(node, token)?;
                self.works += 1;
                let work = Work { number: self.works, ending: false, writes_until: Duration::ZERO };
                self.schedule_write(node, work.number);
                if !self.calm && self.rng.u8(0..20) == 0 {
                    let span = self.plan.longest_lease().mul_f64(self.rng.f64());
                    self.queue.push(self.now + span, Happening::WorkEnd { node, work: work.number });
                }
                if let Some(process) = &mut self.nodes[node].process {
                    process.work = Some(work);
                }
            }
            Effect::DrainWork => {
                self.stats.count("work asked to finish");
                let span = self.nodes[node].settings.drain_timeout.mul_f64(1.5 * self.rng.f64());
                self.end_work(node, span);
            }
            Effect::AbortWork(reason) => {
                let overran = reason == EndReason::DrainTimeout;
                self.stats.count(if overran {
                    "work aborted after the drain timeout"
                } else {
                    "work aborted"
                });
                self.trace(|| format!("node {node} aborts its work: {reason}"));
                let late = !self.calm && self.rng.u8(0..10) == 0;
                let span = if late { self.plan.longest_lease().mul_f64(1.5) } else { LATENCY };
                let span = span.mul_f64(self.rng.f64());
                self.end_work(node, span);
            }
            Effect::Ended(reason) => self.check_ended(node, &reason)?,
            Effect::EndProcess => self.end_process(node),
            Effect::Rewound { known, read } => {
                self.stats.count("rewind proved");
                let process = self.nodes[node].process.as_mut();
                if process.is_some_and(|process| process.ledger.proves_rewind(read.version)) {
                    self.stats.count("rewind proved by a write");
                }
                self.trace(|| format!("node {node} knew {known:?} and read {read:?}"));
                if self.rewinds == 0 {
                    return Err(
                        self.violation("no rewind without a restore", format!("node {node} claims one"))
                    );
                }
            }
        }
        Ok(())
    }

    /// The work was asked to end, and will in a while.
    fn end_work(&mut self, node: usize, span: Duration) {
        let span = if self.calm { span.min(LATENCY) } else { span };
        let process = self.nodes[node].process.as_mut();
        let Some(work) = process.and_then(|process| process.work.as_mut()) else { return };
        work.ending = true;
        self.queue.push(self.now + span, Happening::WorkEnd { node, work: work.number });
    }

    fn send(&mut self, node: usize, write: Option<Write>) {
        let carries = self.carried_by(node, write.as_ref());
        let at = &mut self.nodes[node];
        let deadline = at.clocks.now(self.now).monotonic + at.settings.timings.request_timeout();
        let Some(process) = &mut at.process else { return };
        self.requests += 1;
        let id = self.requests;
        process.request = Some(Pending { id, deadline, write: write.as_ref().map(|write| write.attempt) });
        process.ledger.requests += 1;
        let writer = process.identity.clone();
        let is_write = write.is_some();
        let fate = self.network.request(node, self.now, &mut self.rng);
        match fate {
            Fate::Lost if is_write => self.stats.count("write lost"),
            Fate::Delayed(_) if is_write => self.stats.count("write held up"),
            _ => {}
        }
        if let Some(latency) = fate.latency() {
            let request = Request { id, node, writer, write, carries };
            self.queue.push(self.now + latency, Happening::Arrival(request));
        }
        if is_write && let Some(fault) = self.ambush.take() {
            let soon = LATENCY.mul_f64(0.5 * self.rng.f64());
            self.queue.push(self.now + soon, Happening::Strike { node, fault });
        }
    }

    fn set_alarm(&mut self, node: usize) {
        let at = &mut self.nodes[node];
        at.alarm += 1;
        if at.is_frozen() {
            return;
        }
        // What lies beyond any simulated time need not be on the agenda.
        let far = Monotonic::from_origin(Duration::from_secs(1_000_000_000));
        if let Some(deadline) = at.next_alarm().filter(|deadline| *deadline < far) {
            let happening = Happening::Alarm { node, number: at.alarm };
            self.queue.push(at.clocks.when(deadline).max(self.now), happening);
        }
    }
}
