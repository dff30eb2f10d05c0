//! The conditions: `Ready`, `Reconciling` and `Stalled` as kstatus reads them (`helm --wait`, Flux, Argo CD, `kubectl wait`), and
//! `Available` and `Degraded` after the conventions of the Kubernetes API.
//!
//! | | Ready | Reconciling | Stalled | kstatus says |
//! | --- | --- | --- | --- | --- |
//! | servers are being rolled out | False | True | False | InProgress |
//! | servers that cannot be created or started | False | True | False | InProgress |
//! | all servers match the spec and are ready | True | False | False | Current |
//! | the reconcile fails and is retried | False | True | False | InProgress |
//! | repeatedly changed or deleted by others, and not restored yet | False | True | False | InProgress |
//! | the same, restored | by its servers | by its servers | False | by its servers |
//! | changed by admission | by its servers | by its servers | False | by its servers |
//! | somebody has to change something | False | False | True | Failed |

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use shard_router::Dispute;

use super::{ReportedState, sentence, sentences, shortened};
use crate::crd::Memcached;
use crate::reconcile::build::MAX_UNAVAILABLE;
use crate::reconcile::finding::{Finding, PodFailure};

/// Enough servers are ready: all except as many as the disruption budget allows to be unavailable, and at least one.
pub const AVAILABLE: &str = "Available";
/// Everything matches the spec: all servers exist, are up to date, and are ready.
pub const READY: &str = "Ready";
/// The servers are being changed to match the spec, or the reconcile fails and is retried.
pub const RECONCILING: &str = "Reconciling";
/// There is no progress until somebody changes something.
pub const STALLED: &str = "Stalled";
/// A problem prevents the operator from applying the spec, or the servers from starting, and somebody should look at it.
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
    /// Whether the message quotes an error.
    is_error: bool,
}

impl Verdict {
    pub(super) fn yes(reason: &'static str, message: String) -> Self {
        Self { holds: true, reason, message, is_error: false }
    }

    pub(super) fn no(reason: &'static str, message: String) -> Self {
        Self { holds: false, reason, message, is_error: false }
    }

    fn quoting_an_error(self) -> Self {
        Self { is_error: true, ..self }
    }

    fn of_pods(holds: bool, failure: &PodFailure) -> Self {
        let PodFailure { reason, message, is_quote } = failure;
        Self { holds, reason, message: sentence(message), is_error: *is_quote }
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
        // An error that differs from the one before in a port or a time only is the same one: to write it down at each attempt
        // would be a write for nothing.
        let message = match unchanged.filter(|before| before.reason == self.reason) {
            Some(before)
                if without_numbers(&before.message) == without_numbers(&self.message) && self.is_error =>
            {
                before.message.clone()
            }
            _ => self.message,
        };
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_owned(),
            message,
            observed_generation: generation,
            last_transition_time: unchanged.map_or(Time(now), |before| before.last_transition_time.clone()),
        }
    }
}

pub(super) fn available(desired: i32, ready: i32) -> Verdict {
    let message = format!("{ready} of {desired} servers are ready.");
    let needed = (desired - MAX_UNAVAILABLE).max(1);
    match (desired, ready) {
        (0, _) => Verdict::yes("ScaledToZero", "No servers are requested.".into()),
        _ if ready >= desired => Verdict::yes("AllReady", message),
        _ if ready >= needed => Verdict::yes("EnoughReady", message),
        _ => Verdict::no("TooFewReady", message),
    }
}

pub(super) fn ready(desired: i32, servers: Option<&StatefulSet>, outcome: &ReportedState) -> Verdict {
    match outcome {
        ReportedState::Begun => Verdict::no(BEGUN, "The first reconcile has begun.".into()),
        ReportedState::Invalid(problems) => Verdict::no(INVALID, sentences(problems)),
        ReportedState::Blocked(error) | ReportedState::Failing(error) => {
            Verdict::no(FAILED, sentence(error)).quoting_an_error()
        }
        ReportedState::Applied => servers_ready(desired, servers, None),
        ReportedState::NotReady(finding) => servers_ready(desired, servers, Some(finding)),
        ReportedState::Disputed { disputes, finding } => match held_back(disputes) {
            Some((reason, message)) => Verdict::no(reason, message),
            None => servers_ready(desired, servers, finding.as_ref()),
        },
    }
}

fn servers_ready(desired: i32, servers: Option<&StatefulSet>, finding: Option<&Finding>) -> Verdict {
    let Verdict { holds, reason, message, .. } = rollout(desired, servers);
    match finding {
        None if holds => Verdict::no(reason, message),
        None => Verdict::yes(reason, message),
        Some(Finding::Failure(failure)) => Verdict::of_pods(false, failure),
        Some(Finding::Forbidden(answer)) => {
            let why = sentence(&format!("the operator is not permitted to find out why: {answer}"));
            Verdict::no(reason, format!("{message} {why}")).quoting_an_error()
        }
    }
}

/// Reason and message for the children that the operator will write again, but not yet.
fn held_back(disputes: &[Dispute]) -> Option<(&'static str, String)> {
    told(disputes.iter().filter(|dispute| dispute.is_held_back()))
}

fn told<'a>(disputes: impl Iterator<Item = &'a Dispute> + Clone) -> Option<(&'static str, String)> {
    let reason = disputes.clone().map(Dispute::reason).max_by_key(|reason| *reason == Dispute::BY_OTHERS)?;
    Some((reason, shortened(&disputes.map(Dispute::message).collect::<Vec<_>>().join(" "))))
}

pub(super) fn reconciling(desired: i32, servers: Option<&StatefulSet>, outcome: &ReportedState) -> Verdict {
    match outcome {
        ReportedState::Begun => Verdict::yes(BEGUN, "The first reconcile has begun.".into()),
        ReportedState::Invalid(_) => {
            Verdict::no(INVALID, "The spec must be corrected before anything is rolled out.".into())
        }
        ReportedState::Blocked(_) => Verdict::no(FAILED, "A child could not be applied; see Stalled.".into()),
        ReportedState::Failing(_) => {
            Verdict::yes("Retrying", "The reconcile is retried; see Degraded.".into())
        }
        ReportedState::Disputed { disputes, .. } if disputes.iter().any(Dispute::is_held_back) => {
            Verdict::yes(
                Dispute::BY_OTHERS,
                "Children differ from what was applied and will be restored later; see Degraded.".into(),
            )
        }
        ReportedState::Applied | ReportedState::NotReady(_) | ReportedState::Disputed { .. } => {
            rollout(desired, servers)
        }
    }
}

pub(super) fn stalled(outcome: &ReportedState) -> Verdict {
    match outcome {
        ReportedState::Invalid(problems) => Verdict::yes(INVALID, sentences(problems)),
        ReportedState::Blocked(error) => Verdict::yes(FAILED, sentence(error)).quoting_an_error(),
        ReportedState::Begun
        | ReportedState::Applied
        | ReportedState::NotReady(_)
        | ReportedState::Disputed { .. }
        | ReportedState::Failing(_) => Verdict::no("NotStalled", "Nothing has to be changed by hand.".into()),
    }
}

pub(super) fn degraded(outcome: &ReportedState) -> Verdict {
    match outcome {
        ReportedState::Begun => Verdict::no(BEGUN, "No problem is known.".into()),
        ReportedState::Applied | ReportedState::NotReady(Finding::Forbidden(_)) => {
            Verdict::no("AsExpected", "All children are up to date.".into())
        }
        ReportedState::NotReady(Finding::Failure(failure)) => Verdict::of_pods(true, failure),
        ReportedState::Disputed { disputes, finding } => {
            let (reason, message) = told(disputes.iter()).unwrap_or((Dispute::BY_OTHERS, String::new()));
            match finding {
                Some(Finding::Failure(failure)) => {
                    Verdict::yes(reason, shortened(&format!("{message} {}", sentence(&failure.message))))
                }
                Some(Finding::Forbidden(_)) | None => Verdict::yes(reason, message),
            }
        }
        ReportedState::Invalid(problems) => Verdict::yes(INVALID, sentences(problems)),
        ReportedState::Blocked(error) | ReportedState::Failing(error) => {
            Verdict::yes(FAILED, sentence(error)).quoting_an_error()
        }
    }
}

/// Whether the only status so far is that the first reconcile has begun.
pub(in crate::reconcile) fn has_only_begun(memcached: &Memcached) -> bool {
    let conditions = memcached.status.as_ref().map_or(&[][..], |status| &status.conditions);
    condition(conditions, READY).is_some_and(|ready| ready.reason == BEGUN)
}

const BEGUN: &str = "Reconciling";
const INVALID: &str = "ValidationFailed";
/// Of what could not be read or written.
pub(in crate::reconcile) const FAILED: &str = "ApplyFailed";

/// Each word with a digit in it as one sign: numbers, times, addresses with ports, ids of requests.
fn without_numbers(text: &str) -> String {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let mut shape = String::with_capacity(text.len());
    for piece in text.split_inclusive(|letter| !is_word(letter)) {
        let (word, end) = piece.split_at(piece.trim_end_matches(|letter| !is_word(letter)).len());
        shape.push_str(if word.bytes().any(|byte| byte.is_ascii_digit()) { "#" } else { word });
        shape.push_str(end);
    }
    shape
}

/// Whether the servers are as many as asked for, up to date, and ready.
pub(in crate::reconcile) fn is_rolled_out(desired: i32, servers: &StatefulSet) -> bool {
    !rollout(desired, Some(servers)).holds
}

/// Whether the servers are on their way.
fn rollout(desired: i32, servers: Option<&StatefulSet>) -> Verdict {
    let seen = servers.and_then(|servers| servers.status.clone()).unwrap_or_default();
    let generation = servers.and_then(|servers| servers.metadata.generation);
    if seen.observed_generation < generation {
        return Verdict::yes(
            "RollingOut",
            "The StatefulSet controller has not processed the change yet.".into(),
        );
    }
    let updated = seen.updated_replicas.unwrap_or(0);
    let ready = seen.ready_replicas.unwrap_or(0);
    let rolled_out = seen.update_revision.is_none() || seen.current_revision == seen.update_revision;
    if seen.replicas == desired && ready >= desired && (rolled_out || updated >= desired) {
        return Verdict::no("RolledOut", "The servers match the spec.".into());
    }
    let message = format!("{updated} of {desired} servers are up to date, {ready} are ready.");
    Verdict::yes("RollingOut", message)
}
