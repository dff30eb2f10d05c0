//! Deliberate faults that are more than the wrong result of a rule. Only with the feature `mutants`; see [`crate::mutants`].

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Elector;
use crate::effect::{AttemptId, EndReason};
use crate::event::{Context, Refusal};
use crate::mutants::{Mutant, active};
use crate::record::LeaseRecord;
use crate::rules;

impl Elector {
    /// Honours a record by the wall clock, or not at all if it existed when it was first seen.
    pub(super) fn misjudge_expiry(&mut self, record: &LeaseRecord, cx: &Context) {
        let now = cx.now.monotonic;
        if active(Mutant::ExpiryByWallClock) {
            let stated = record.lease_duration.or(self.view.stated);
            let duration = rules::honoured_for(stated, self.config.timings.lease_duration());
            self.view.honour_until = now + left_by_the_wall_clock(record, duration, cx.wall);
        } else if active(Mutant::TakeoverAtFirstSight) && !self.view.is_known() {
            self.view.honour_until = now;
        }
    }

    /// Whether a refused write was processed in the wrong way.
    pub(super) fn misread_refusal(&mut self, id: AttemptId, refusal: Refusal, cx: &Context) -> bool {
        self.lose_at_first_failure(id);
        let repeated = active(Mutant::RetryWithoutRead) && self.attempts.repeats_one_in_doubt(id);
        let success = refusal == Refusal::Conflict && (active(Mutant::ConflictIsSuccess) || repeated);
        success && self.pretend_landed(id, cx)
    }

    /// Whether an unanswered write was processed in the wrong way.
    pub(super) fn misread_silence(&mut self, id: AttemptId, cx: &Context) -> bool {
        self.lose_at_first_failure(id);
        active(Mutant::LostAnswerIsSuccess) && self.pretend_landed(id, cx)
    }

    /// Whether the Lease is released at once, before the work was asked to finish.
    pub(super) fn release_before_drain(&mut self, cx: &Context) -> bool {
        let early = active(Mutant::ReleaseBeforeDrain);
        if early {
            self.release(cx);
        }
        early
    }

    fn lose_at_first_failure(&mut self, id: AttemptId) {
        if active(Mutant::FirstFailureIsLoss) && self.attempts.is_under_way(id) {
            self.lose(EndReason::Lapsed);
        }
    }

    fn pretend_landed(&mut self, id: AttemptId, cx: &Context) -> bool {
        let Some(attempt) = self.attempts.end_write(id) else { return false };
        if let Some(mut lease) = self.view.lease().cloned() {
            lease.record = attempt.record.clone();
            self.landed(&attempt, Some(lease), cx);
        }
        true
    }
}

fn left_by_the_wall_clock(record: &LeaseRecord, duration: Duration, wall: Timestamp) -> Duration {
    let age = record.renew_time.map_or(SignedDuration::ZERO, |renewed| wall.duration_since(renewed));
    let left = SignedDuration::try_from(duration).unwrap_or_default() - age;
    Duration::try_from(left).unwrap_or_default()
}
