//! What the operator reports: pure functions from what was seen to a status, and the one write of it.

mod conditions;
mod undecodable;
mod write;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::jiff::Timestamp;
use shard_router::Dispute;

use super::build::selector;
use super::finding::Finding;
use super::validate::{Problem, image};
use crate::crd::{Memcached, MemcachedStatus};

pub use conditions::{AVAILABLE, DEGRADED, READY, RECONCILING, STALLED, condition};
pub(super) use conditions::{FAILED, has_only_begun, is_rolled_out};
pub use undecodable::report as report_undecodable;
pub use write::{needs_writing, write};

/// The longest message of a condition that the API server accepts is far longer; this is what people read.
const LONGEST_MESSAGE: usize = 1024;

/// The result of a reconcile, as the status reports it.
#[derive(Clone, Debug)]
pub enum ReportedState {
    /// The first reconcile of the resource has begun.
    Begun,
    /// The children are as they should be.
    Applied,
    /// The children are as they should be, but the servers are not ready, for this reason.
    NotReady(Finding),
    /// Some children are not written for a while, because somebody else, or admission, does not leave them as applied. All others are
    /// as they should be.
    Disputed {
        /// The children that are not written.
        disputes: Vec<Dispute>,
        /// Why the servers are not ready, if they are not.
        finding: Option<Finding>,
    },
    /// The spec is invalid; nothing was changed.
    Invalid(Vec<Problem>),
    /// A child cannot be applied, because the API server refuses it or an object of somebody else has its name, until somebody changes
    /// something.
    Blocked(String),
    /// The reconcile has failed more than once in a row; it is retried.
    Failing(String),
}

/// The status to report; `servers` is the StatefulSet if there is one. Without `bucket`, which is the router's.
pub fn status(
    memcached: &Memcached,
    servers: Option<&StatefulSet>,
    outcome: &ReportedState,
    now: Timestamp,
) -> MemcachedStatus {
    let seen = servers.and_then(|servers| servers.status.as_ref());
    let reported = memcached.status.as_ref();
    let (replicas, ready) = match (seen, reported) {
        (Some(seen), _) => (seen.replicas, seen.ready_replicas.unwrap_or(0)),
        // Without a look at the servers the last one counts: they may well be there. After a look they are known not to be.
        (None, Some(last)) if servers.is_none() && !matches!(outcome, ReportedState::Disputed { .. }) => {
            (last.replicas, last.ready_replicas)
        }
        (None, _) => (0, 0),
    };
    let desired = memcached.spec.replicas;
    let name = memcached.metadata.name.as_deref().unwrap_or_default();
    let verdicts = [
        (READY, conditions::ready(desired, servers, outcome)),
        (RECONCILING, conditions::reconciling(desired, servers, outcome)),
        (STALLED, conditions::stalled(outcome)),
        (AVAILABLE, conditions::available(desired, ready)),
        (DEGRADED, conditions::degraded(outcome)),
    ];
    let generation = memcached.metadata.generation;
    let before = reported.map_or(&[][..], |status| &status.conditions);
    MemcachedStatus {
        observed_generation: generation,
        replicas,
        ready_replicas: ready,
        ready: Some(format!("{ready}/{desired}")),
        selector: Some(selector(name).iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")),
        image: Some(image(&memcached.spec)),
        bucket: None,
        conditions: verdicts
            .map(|(type_, verdict)| verdict.into_condition(type_, generation, before, now))
            .into(),
    }
}

/// Problems as a person reads them, one sentence each.
pub fn sentences(problems: &[Problem]) -> String {
    let sentences = problems.iter().map(|problem| format!("{}.", capitalised(&problem.to_string())));
    shortened(&sentences.collect::<Vec<_>>().join(" "))
}

fn capitalised(text: &str) -> String {
    // Names of fields keep their spelling.
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !text.starts_with("spec.") => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// A reason as a sentence.
fn sentence(reason: &str) -> String {
    shortened(&format!("{}.", capitalised(reason)))
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_MESSAGE {
        return text.to_owned();
    }
    text.chars().take(LONGEST_MESSAGE - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
