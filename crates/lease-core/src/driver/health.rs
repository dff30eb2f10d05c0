//! Current problems with Lease requests, as sentences for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::request_error::RequestError;
use crate::name::LeaseName;
use crate::revision::Revision;
use crate::time::Monotonic;
use crate::timings::Timings;

/// A request that the API server keeps refusing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, where, and what to do about it.
    pub sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The health of the Lease traffic.
#[derive(Clone, Debug)]
pub struct Health {
    /// Requests that the API server keeps refusing, for example because of missing rights.
    pub problems: Vec<Problem>,
    /// The time since the last response from the API server. A replica without a response for longer than LeaseDuration cannot do its
    /// work, even if its process runs.
    pub silent_for: Duration,
    /// Why the last request was not answered; `None` if it was.
    pub unanswered: Option<String>,
    /// Whether the watch is known to work.
    pub watch_is_live: bool,
    /// How often, since the start, it was detected that etcd was restored from a backup. For
    /// LeaseDuration after each, `problems` says so.
    pub rewinds: u64,
}

/// Collects the results of requests. The problem of a verb is over when a request with that verb succeeds.
#[derive(Debug, Default)]
pub(super) struct Journal {
    inner: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    problems: BTreeMap<(&'static str, &'static str), Problem>,
    /// The problem that history was rewound, and until when no Lease is acquired because of it.
    rewound: Option<(Problem, Monotonic)>,
    rewinds: u64,
    last_contact: Monotonic,
    unanswered: Option<String>,
}

impl Journal {
    pub(super) fn contact(&self, now: Monotonic) {
        let mut inner = self.lock();
        inner.last_contact = inner.last_contact.max(now);
    }

    /// Records the result of a request. Logs when a problem begins and when it ends.
    pub(super) fn note<T>(
        &self,
        verb: &'static str,
        resource: &'static str,
        namespace: &str,
        outcome: &Result<T, RequestError>,
        now: Monotonic,
    ) {
        let mut inner = self.lock();
        inner.unanswered = match outcome {
            Err(RequestError::Unknown(why)) => Some(why.clone()),
            _ => None,
        };
        match outcome {
            Ok(_) | Err(RequestError::Conflict | RequestError::NotFound) => {
                inner.last_contact = inner.last_contact.max(now);
                if inner.problems.remove(&(resource, verb)).is_some() {
                    tracing::info!("{verb} of {resource} in namespace {namespace} is permitted again");
                }
            }
            Err(RequestError::Rejected { code, message, .. }) => {
                inner.last_contact = inner.last_contact.max(now);
                // Overload ends by itself; any other rejection stays until somebody fixes its cause.
                if *code != 429 {
                    let problem = Problem { sentence: sentence(verb, resource, namespace, *code, message) };
                    let known = inner.problems.insert((resource, verb), problem.clone());
                    if known.as_ref() != Some(&problem) {
                        tracing::error!("{problem}");
                    }
                }
            }
            Err(RequestError::Unknown(_)) => {}
        }
    }

    /// A read has proved that history was rewound.
    pub(super) fn rewound(
        &self,
        lease: &LeaseName,
        known: &Revision,
        read: &Revision,
        now: Monotonic,
        timings: &Timings,
    ) {
        let wait = timings.lease_duration();
        let problem = Problem {
            sentence: format!(
                "the API server's history was rewound, as by an etcd restore: lease {lease} is at version {}, and was at {} before; \
                 all terms of this replica have ended, and it takes no Lease for {} s (LeaseDuration); if this happens again, \
                 restart all API servers, as is required after a restore",
                read.version,
                known.version,
                wait.as_secs()
            ),
        };
        tracing::error!("{problem}");
        let mut inner = self.lock();
        inner.rewinds += 1;
        inner.rewound = Some((problem, now + wait));
    }

    pub(super) fn health(&self, now: Monotonic, watch_is_live: bool) -> Health {
        let inner = self.lock();
        let rewound = inner.rewound.iter().filter(|(_, until)| now < *until).map(|(problem, _)| problem);
        Health {
            rewinds: inner.rewinds,
            problems: rewound.chain(inner.problems.values()).cloned().collect(),
            silent_for: now.duration_since(inner.last_contact),
            unanswered: inner.unanswered.clone(),
            watch_is_live,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.inner.lock()
    }
}

fn sentence(verb: &str, resource: &str, namespace: &str, code: u16, message: &str) -> String {
    let advice = match code {
        403 => {
            return format!("{}; this is retried", missing_right(verb, resource, Some(namespace), message));
        }
        401 => "; renew the credentials of this process: the token of its service account, or its kubeconfig",
        404 => "; create the namespace, or use an existing one",
        _ => "",
    };
    format!(
        "the API server refuses to {verb} {resource} in namespace {namespace} ({code}): {message}{advice}; this is retried"
    )
}

/// A sentence that says which right is missing, for which account, and how to grant it.
///
/// `resource` is of the form `plural.group`, `namespace` is `None` for all namespaces, and `message` is the message of the
/// API server's 403, which names the account.
pub fn missing_right(verb: &str, resource: &str, namespace: Option<&str>, message: &str) -> String {
    let account = message.split_once("User \"").and_then(|(_, rest)| rest.split('"').next());
    let account = account.unwrap_or("this account");
    let (group, plural) = match resource.split_once('.') {
        Some((plural, group)) => (group, plural),
        None => ("", resource),
    };
    let rule = format!("apiGroups [\"{group}\"], resources [\"{plural}\"], verbs [\"{verb}\"]");
    match namespace {
        Some(namespace) => format!(
            "{account} may not {verb} {resource} in namespace {namespace}; grant it with a Role in that namespace \
             ({rule}) and a RoleBinding"
        ),
        None => format!(
            "{account} may not {verb} {resource} in all namespaces; grant it with a ClusterRole ({rule}) and a \
             ClusterRoleBinding"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASES: &str = "leases.coordination.k8s.io";

    fn forbidden() -> Result<(), RequestError> {
        Err(RequestError::Rejected {
            code: 403,
            message: "leases.coordination.k8s.io \"x\" is forbidden: User \"system:serviceaccount:a:op\" cannot get \
                      resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"a\""
                .into(),
            retry_after: None,
        })
    }

    #[test]
    fn missing_rbac_names_verb_resource_namespace_and_account() {
        let journal = Journal::default();
        journal.note("get", LEASES, "a", &forbidden(), Monotonic::ORIGIN);
        let health = journal.health(Monotonic::ORIGIN, true);
        let sentence = &health.problems[0].sentence;
        assert!(
            sentence.starts_with(
                "system:serviceaccount:a:op may not get leases.coordination.k8s.io in namespace a"
            ),
            "{sentence}"
        );
        assert!(
            sentence.contains("apiGroups [\"coordination.k8s.io\"], resources [\"leases\"]"),
            "{sentence}"
        );
    }

    #[test]
    fn what_is_refused_for_another_reason_is_told_with_what_to_do() {
        for (code, advice) in
            [(401, "renew the credentials"), (404, "create the namespace"), (422, "this is retried")]
        {
            let journal = Journal::default();
            let refused = RequestError::Rejected { code, message: "no".into(), retry_after: None };
            journal.note("create", LEASES, "a", &Err::<(), _>(refused), Monotonic::ORIGIN);
            let sentence = journal.health(Monotonic::ORIGIN, true).problems.remove(0).sentence;
            assert!(sentence.contains(&format!("({code}): no")) && sentence.contains(advice), "{sentence}");
        }
    }

    #[test]
    fn why_nothing_is_answered_is_told_until_something_is() {
        let journal = Journal::default();
        let unanswered = || journal.health(Monotonic::ORIGIN, true).unanswered;
        let lost = || Err::<(), _>(RequestError::Unknown("connection refused".into()));
        journal.note("get", LEASES, "a", &lost(), Monotonic::ORIGIN);
        assert_eq!(unanswered().as_deref(), Some("connection refused"));
        journal.note("list", LEASES, "a", &forbidden(), Monotonic::ORIGIN);
        assert_eq!(unanswered(), None);
    }

    #[test]
    fn a_problem_ends_with_the_next_success_of_its_verb() {
        let journal = Journal::default();
        journal.note("get", LEASES, "a", &forbidden(), Monotonic::ORIGIN);
        journal.note("update", LEASES, "a", &Ok(()), Monotonic::ORIGIN);
        assert_eq!(journal.health(Monotonic::ORIGIN, true).problems.len(), 1);
        journal.note("get", LEASES, "a", &Ok(()), Monotonic::from_origin(Duration::from_secs(3)));
        let health = journal.health(Monotonic::from_origin(Duration::from_secs(5)), true);
        assert!(health.problems.is_empty());
        assert_eq!(health.silent_for, Duration::from_secs(2));
    }
}
