//! Answers to requests.

use std::time::Duration;

use super::attempts::{Asked, Attempt};
use super::{Elector, State};
use crate::effect::{AttemptId, EndReason, WriteKind};
use crate::event::{Context, Refusal};
use crate::record::ObservedLease;
use crate::rules;
use crate::validity::Validity;

impl Elector {
    pub(super) fn read_landed(&mut self, lease: Option<ObservedLease>, cx: &Context) {
        let Some(Asked { about: asked_about, latest: known }) = self.attempts.end_read() else {
            self.must_read = true;
            return;
        };
        self.must_read = false;
        self.look_for_a_rewind(known.as_ref(), lease.as_ref(), cx);
        let before = self.view.version();
        if lease.is_none() && before.is_some() && self.view.uid() != asked_about.as_ref() {
            // The watch has already shown an object that was created after the read was sent. So the read does not say that there is none now.
            self.must_read = true;
            return;
        }
        self.confirm_vacating();
        self.forget_what_is_too_old(cx);
        match lease {
            Some(lease) => {
                self.schedule_poll(cx);
                self.observe(lease, cx);
            }
            None => self.note_missing(cx),
        }
        if std::mem::take(&mut self.write_failed) && self.view.version() == before {
            // The read does not show why the write failed, so the next write may fail as well. Do not retry at once.
            self.pause(None, cx);
            self.postpone_renewal(None, cx);
        }
    }

    pub(super) fn read_failed(&mut self, retry_after: Option<Duration>, cx: &Context) {
        let _known = self.attempts.end_read();
        self.must_read = true;
        self.pause(retry_after, cx);
    }

    pub(super) fn write_landed(&mut self, id: AttemptId, lease: Option<ObservedLease>, cx: &Context) {
        if let Some(attempt) = self.attempts.end_write(id) {
            self.schedule_poll(cx);
            if lease.as_ref().is_some_and(|lease| self.write_proves_a_rewind(&attempt, lease, cx)) {
                return;
            }
            let version = lease.as_ref().map(|lease| lease.revision.version);
            // The watch may already have shown a later state. Then this answer is out of date.
            if version.is_none_or(|version| Some(version) > self.view.version()) {
                self.landed(&attempt, lease, cx);
            }
        }
    }

    pub(super) fn write_refused(&mut self, id: AttemptId, refusal: Refusal, cx: &Context) {
        #[cfg(feature = "mutants")]
        if self.misread_refusal(id, refusal, cx) {
            return;
        }
        if self.attempts.end_write(id).is_none() {
            return;
        }
        match refusal {
            // Somebody else has written. A read shows what, and what to do next.
            Refusal::Conflict => {
                self.must_read = true;
                self.write_failed = true;
                self.retry_at = cx.now.monotonic;
            }
            Refusal::Rejected { retry_after } => {
                self.pause(retry_after, cx);
                self.postpone_renewal(retry_after, cx);
            }
        }
    }

    pub(super) fn write_unknown(&mut self, id: AttemptId, cx: &Context) {
        #[cfg(feature = "mutants")]
        if self.misread_silence(id, cx) {
            return;
        }
        let Some(attempt) = self.attempts.end_write(id) else { return };
        self.must_read = rules::unanswered_write_needs_a_read();
        self.write_failed = true;
        self.retry_at = cx.now.monotonic;
        self.attempts.doubt(attempt);
        self.postpone_renewal(None, cx);
    }

    /// A write of this process was applied, as its answer, a watch or a read proves.
    pub(super) fn landed(&mut self, attempt: &Attempt, lease: Option<ObservedLease>, cx: &Context) {
        self.retry_at = cx.now.monotonic;
        self.must_read = false;
        self.attempts.settle();
        let Some(lease) = lease else {
            self.note_missing(cx);
            self.released(cx);
            return;
        };
        if attempt.kind == WriteKind::Reserve {
            self.note(lease, cx);
            return;
        }
        self.view.adopt(lease.clone());
        match attempt.kind {
            WriteKind::Acquire => self.acquired(&lease, attempt.sent, cx),
            WriteKind::Renew => match &mut self.term {
                Some(term) if term.uid == lease.revision.uid => {
                    term.extend(attempt.sent, cx.now, &self.config);
                }
                // This is not the Lease object that the term began with.
                _ => self.lose(EndReason::Vanished),
            },
            WriteKind::Release | WriteKind::Delete => self.released(cx),
            WriteKind::Reserve => {}
        }
    }

    /// This process has released the Lease. Others may take it first.
    fn released(&mut self, cx: &Context) {
        if !self.has_work() {
            self.vacated();
        }
        self.view.honour(cx.now.monotonic);
        self.yield_until = cx.now.monotonic + self.config.timings.retry_period();
    }

    /// Pauses requests after a failure. A leader pauses briefly, other candidates for a jittered RetryPeriod.
    fn pause(&mut self, retry_after: Option<Duration>, cx: &Context) {
        let timings = &self.config.timings;
        let hurried = matches!(self.state, State::Leader | State::Releasing);
        let least = if hurried { timings.hurried_retry() } else { timings.jittered_retry(cx.roll) };
        let most = if hurried { timings.retry_period() } else { timings.lease_duration() };
        self.retry_at = cx.now.monotonic + retry_after.unwrap_or(least).clamp(least, most.max(least));
    }

    fn forget_what_is_too_old(&mut self, cx: &Context) {
        let span = self.config.timings.renew_deadline();
        self.attempts.forget(|attempt| {
            attempt.kind != WriteKind::Renew && attempt.kind != WriteKind::Acquire
                || Validity::starting(attempt.sent, span).holds_at(cx.now)
        });
    }
}
