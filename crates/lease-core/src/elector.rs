//! The state machine of one candidate for one Lease.
//!
//! Events change what the machine knows; after each of them `advance` looks at the whole of it and decides
//! what follows, by one table of what is due (`due.rs`). So a decision depends on what is known, never on the order in which it came to be known.
//!
//! ```text
//!            ┌──────────────────────────────────────────────┐
//!  Starting ─┴→ Standby ──→ Expired ──→ Acquiring ──→ Leader ──→ Releasing
//!                  ↑           │            │            │           │
//!                  └───────────┴────────────┴────────────┴───────────┘
//! ```

mod acquire;
mod answers;
mod attempts;
mod due;
#[cfg(feature = "mutants")]
mod faults;
mod hold;
mod release;
mod rewind;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use crate::config::ElectorConfig;
use crate::effect::{Effect, EndReason, Write};
use crate::event::{Context, Event};
use crate::identity::Identity;
use crate::invariant;
use crate::record::ObservedLease;
use crate::revision::Revision;
use crate::time::Monotonic;
use crate::validity::Validity;

use attempts::{Asked, Attempts};
use hold::{ActiveTerm, Work};
use release::Vacating;
use rewind::Rewinds;
use view::View;

/// Where a candidate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It knows nothing of the Lease yet.
    Starting,
    /// Somebody holds the Lease, or may.
    Standby,
    /// The Lease is free: released, or not renewed for as long as its holder stated.
    Expired,
    /// It has asked for the Lease.
    Acquiring,
    /// It holds the Lease.
    Leader,
    /// It gives the Lease up: first the work ends, then the Lease is released.
    Releasing,
}

/// One candidate for one Lease.
///
/// [`handle`](Self::handle) takes events, [`poll_effect`](Self::poll_effect) gives out what is to be done, and
/// [`next_timeout`](Self::next_timeout) says when to call again if nothing happens. Call them in this order:
///
/// 1. [`handle`](Self::handle) with an event and a fresh reading of the clocks;
/// 2. [`poll_effect`](Self::poll_effect) until it returns `None`, and carry each effect out; a request is answered by an event, later;
/// 3. [`next_timeout`](Self::next_timeout), to wait for that instant or for the next event, whichever is first.
///
/// [`validity`](Self::validity) may be asked at any time.
///
/// # Example
///
/// The whole of `examples/elector.rs`, which prints who leads when:
///
/// ```
#[doc = include_str!("../examples/elector.rs")]
/// ```
#[derive(Debug)]
pub struct Elector {
    config: ElectorConfig,
    state: State,
    view: View,
    attempts: Attempts,
    term: Option<ActiveTerm>,
    work: Work,
    vacating: Option<Vacating>,
    successor: Option<Identity>,
    /// The state of the Lease that this process gave up on releasing.
    abandoned: Option<Revision>,
    /// A read is owed before the next write: what is known may be out of date.
    must_read: bool,
    /// A write has failed, and the read that follows may not show why.
    write_failed: bool,
    /// No request before this instant, after a failure.
    retry_at: Monotonic,
    /// After a release of its own, others come first until then, or until one of them has held the Lease.
    yield_until: Monotonic,
    /// Read, to be sure that nothing was missed, if the watch shows nothing until then.
    poll_at: Monotonic,
    /// Until then a write of the work may still land, so nobody is let in.
    quiet_at: Monotonic,
    watch_healthy: bool,
    rewinds: Rewinds,
    effects: VecDeque<Effect>,
}

impl Elector {
    /// A candidate that knows nothing yet. Call [`handle`](Self::handle) with [`Event::Timeout`] to set it going.
    pub fn new(config: ElectorConfig) -> Self {
        Self {
            config,
            state: State::Starting,
            view: View::default(),
            attempts: Attempts::default(),
            term: None,
            work: Work::Idle,
            vacating: None,
            successor: None,
            abandoned: None,
            must_read: true,
            write_failed: false,
            retry_at: Monotonic::ORIGIN,
            yield_until: Monotonic::ORIGIN,
            poll_at: Monotonic::ORIGIN,
            quiet_at: Monotonic::ORIGIN,
            watch_healthy: true,
            rewinds: Rewinds::default(),
            effects: VecDeque::new(),
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The validity of the present term, if there is one. To be asked with a fresh clock reading.
    pub fn validity(&self) -> Option<Validity> {
        self.term.as_ref().map(|term| term.validity)
    }

    /// The Lease as last seen.
    pub fn lease(&self) -> Option<&ObservedLease> {
        self.view.lease()
    }

    /// Whom this candidate waits for, and how long the Lease is left to them after they were last heard of; `None` if it does not
    /// contend, leads, or may take the Lease.
    pub fn waits_for(&self) -> Option<(&Identity, Duration)> {
        let lease = self.view.lease().filter(|_| self.config.contend && self.state == State::Standby)?;
        let holder = lease.record.holder.as_ref().filter(|holder| **holder != self.config.identity)?;
        Some((holder, lease.record.lease_duration.unwrap_or(self.config.timings.lease_duration())))
    }

    /// Whether nothing is under way: no term, no work, no request, and nothing left to give up.
    pub fn is_at_rest(&self) -> bool {
        self.term.is_none()
            && self.work == Work::Idle
            && self.vacating.is_none()
            && !self.attempts.outstanding()
            && self.state != State::Acquiring
    }

    /// Whether work runs, or has not been joined yet.
    pub fn has_work(&self) -> bool {
        self.work != Work::Idle
    }

    /// Takes an event.
    pub fn handle(&mut self, event: Event, cx: &Context) {
        // An answer that arrives after the end of validity cannot bring it back.
        self.end_if_lapsed(cx);
        match event {
            Event::Timeout => {}
            Event::Watched(lease) => self.observe(lease, cx),
            Event::Vanished(uid) => self.vanished(&uid),
            Event::Read(lease) => self.read_landed(lease, cx),
            Event::ReadFailed { retry_after } => self.read_failed(retry_after, cx),
            Event::WriteLanded(attempt, lease) => self.write_landed(attempt, lease, cx),
            Event::WriteRefused(attempt, refusal) => self.write_refused(attempt, refusal, cx),
            Event::WriteUnknown(attempt) => self.write_unknown(attempt, cx),
            Event::Unanswered { given_up } => self.left_unanswered(given_up),
            Event::WorkEnded => self.work_ended(),
            Event::StepDown { successor } => self.step_down(successor, cx),
            Event::Abandon => self.lose(EndReason::Abandoned),
            Event::Contend(contend) => self.config.contend = contend,
            Event::AcquireDelay(acquire_delay) => self.config.acquire_delay = acquire_delay,
            Event::Successors(successors) => self.config.successors = successors,
            Event::RenewSoon => self.renew_soon(cx),
            Event::Rewound => self.void(cx),
            Event::WatchHealthy(healthy) => {
                // Only a change counts: to be told so again and again must not put the next poll off.
                if std::mem::replace(&mut self.watch_healthy, healthy) != healthy {
                    self.schedule_poll(cx);
                }
            }
        }
        self.advance(cx);
        if let Some(term) = &mut self.term {
            term.foresee_the_end(cx.now);
        }
        self.check_invariants(cx);
    }

    /// What is true between two events.
    fn check_invariants(&self, cx: &Context) {
        let valid = self.term.as_ref().is_some_and(|term| term.validity.holds_at(cx.now));
        invariant!(valid || self.term.is_none(), "a term is kept beyond its validity: {self:?}");
        invariant!(valid || self.state != State::Leader, "it leads without a valid term: {self:?}");
        invariant!(
            valid || !matches!(self.work, Work::Running | Work::Draining { .. }),
            "work runs without a valid term: {self:?}"
        );
        invariant!(
            self.vacating.is_none() || self.work == Work::Idle,
            "it gives up the Lease beside its work: {self:?}"
        );
    }

    /// The next thing to do.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`handle`](Self::handle) with [`Event::Timeout`] if nothing happens before, on `CLOCK_MONOTONIC`.
    pub fn next_timeout(&self) -> Option<Monotonic> {
        let validity = self.term.as_ref().map(|term| term.lapses_at);
        [self.next_step_at(), validity, self.work.deadline()].into_iter().flatten().min()
    }

    /// Asks for the Lease as it is.
    fn read(&mut self) {
        let asked = Asked { about: self.view.uid().cloned(), latest: self.view.latest().cloned() };
        self.attempts.begin_read(asked);
        self.effects.push_back(Effect::Read);
    }

    fn send(&mut self, write: Write, cx: &Context) {
        self.view.wrote(write.record.renew_time);
        self.attempts.begin_write(&write, self.view.latest().cloned(), cx.now);
        self.effects.push_back(Effect::Write(write));
    }

    /// Ends the term. The work, if any runs, is to be aborted and joined before the Lease may be taken again.
    fn lose(&mut self, reason: EndReason) {
        let Some(term) = self.term.take() else { return };
        self.state = State::Standby;
        self.effects.push_back(Effect::Ended(reason.clone()));
        self.abort_work(term.join_by(&self.config.timings), reason);
    }
}
