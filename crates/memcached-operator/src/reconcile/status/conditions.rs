//! `Available`, `Progressing` and `Degraded`, after the conventions of the Kubernetes API.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::Outcome;
use crate::reconcile::build::MAX_UNAVAILABLE;

/// Enough servers answer: all but as many as the disruption budget lets go, and at least one.
pub const AVAILABLE: &str = "Available";
/// The servers are on their way to what the spec asks for.
pub const PROGRESSING: &str = "Progressing";
/// Something keeps the operator from doing what the spec asks for, and a person has to look.
pub const DEGRADED: &str = "Degraded";

/// The condition of this type, if it was ever reported.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// A condition before it is known when it came about.
pub(super) struct Verdict {
    holds: bool,
    reason: &'static str,
    message: String,
}

impl Verdict {
    pub(super) fn yes(reason: &'static str, message: String) -> Self {
        Self { holds: true, reason, message }
    }

    pub(super) fn no(reason: &'static str, message: String) -> Self {
        Self { holds: false, reason, message }
    }

    /// The time of the last transition is kept while the status stays the same.
    pub(super) fn into_condition(
        self,
        type_: &str,
        generation: Option<i64>,
        before: &[Condition],
        now: Timestamp,
    ) -> Condition {
        let status = if self.holds { "True" } else { "False" };
        let unchanged = condition(before, type_).filter(|before| before.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message: self.message,
            observed_generation: generation,
            last_transition_time: unchanged.map_or(Time(now), |before| before.last_transition_time.clone()),
        }
    }
}

pub(super) fn available(desired: i32, ready: i32) -> Verdict {
    let message = format!("{ready} of {desired} servers are ready.");
    let needed = (desired - MAX_UNAVAILABLE).max(1);
    match (desired, ready) {
        (0, _) => Verdict::yes("ScaledToZero", "No servers are asked for.".into()),
        _ if ready >= desired => Verdict::yes("AllReady", message),
        _ if ready >= needed => Verdict::yes("EnoughReady", message),
        _ => Verdict::no("TooFewReady", message),
    }
}

pub(super) fn progressing(desired: i32, servers: Option<&StatefulSet>, outcome: &Outcome) -> Verdict {
    match outcome {
        Outcome::Invalid(_) => {
            return Verdict::no(
                "ValidationFailed",
                "The spec has to be mended before anything is rolled out.".into(),
            );
        }
        Outcome::Refused(_) => {
            return Verdict::no("ApplyFailed", "A child could not be applied; see Degraded.".into());
        }
        Outcome::Applied => {}
    }
    let seen = servers.and_then(|servers| servers.status.clone()).unwrap_or_default();
    let generation = servers.and_then(|servers| servers.metadata.generation);
    if seen.observed_generation < generation {
        return Verdict::yes(
            "RollingOut",
            "The StatefulSet has not been looked at by its controller yet.".into(),
        );
    }
    let updated = seen.updated_replicas.unwrap_or(0);
    let ready = seen.ready_replicas.unwrap_or(0);
    let rolled_out = seen.update_revision.is_none() || seen.current_revision == seen.update_revision;
    if seen.replicas == desired && ready >= desired && (rolled_out || updated >= desired) {
        return Verdict::no("RolledOut", "The servers are as the spec asks for.".into());
    }
    let message = format!("{updated} of {desired} servers are up to date, {ready} are ready.");
    Verdict::yes("RollingOut", message)
}
