//! The rights that are missing, for readiness.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lease_core::{Clock, Monotonic, missing_right};
use parking_lot::{Mutex, MutexGuard};

use crate::observability::requests::{Answer, Observer, Target};

const LEASES: &str = "leases.coordination.k8s.io";

/// The rights that are currently missing. An entry is removed when the API server permits the same request, or when it has not
/// been repeated for longer than any retry takes: the namespace may have been deleted.
#[derive(Debug)]
pub(crate) struct Rights {
    clock: Arc<dyn Clock>,
    kept: Duration,
    missing: Mutex<BTreeMap<Target, Missing>>,
}

#[derive(Debug)]
struct Missing {
    sentence: String,
    refused: Monotonic,
}

impl Rights {
    /// `kept`: for how long to remember a refusal that is not repeated.
    pub(crate) fn new(clock: Arc<dyn Clock>, kept: Duration) -> Self {
        Self { clock, kept, missing: Mutex::default() }
    }

    /// A sentence that says what is missing.
    pub(crate) fn sentence(&self) -> Option<String> {
        let now = self.clock.now().monotonic;
        let mut missing = self.lock();
        missing.retain(|_, right| now.duration_since(right.refused) <= self.kept);
        let first = missing.values().next()?.sentence.clone();
        Some(match missing.len() {
            1 => first,
            several => format!("{first} (and {} more rights are missing)", several - 1),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Target, Missing>> {
        self.missing.lock()
    }
}

impl Observer for Rights {
    fn answered(&self, target: &Target, answer: &Answer) {
        // lease-core reports rights on Leases itself. Requests about Leases are not repeated here, so the entry would not be removed.
        if target.resource == LEASES {
            return;
        }
        match answer {
            Answer::Refused { code: 403, message, .. } if is_denial(message) => {
                let namespace = target.namespace.as_deref();
                let missing = missing_right(target.verb, &target.resource, namespace, message);
                let sentence = format!("{missing}; this is retried");
                let refused = self.clock.now().monotonic;
                let known =
                    self.lock().insert(target.clone(), Missing { sentence: sentence.clone(), refused });
                if known.is_none_or(|known| known.sentence != sentence) {
                    tracing::error!("{sentence}");
                }
            }
            Answer::Refused { code: 401, .. } | Answer::Failed(_) => {}
            // Whatever else is wrong with the request, RBAC permits it.
            Answer::Accepted | Answer::Refused { .. } => {
                if self.lock().remove(target).is_some() {
                    tracing::info!("{} of {} is permitted again", target.verb, target.resource);
                }
            }
        }
    }
}

/// Admission and quotas answer with 403 too; only the authorizer names a user who cannot.
fn is_denial(message: &str) -> bool {
    message.split_once("User \"").is_some_and(|(_, rest)| rest.contains(" cannot "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::ByHand;

    fn target(namespace: Option<&str>) -> Target {
        let namespace = namespace.map(str::to_owned);
        Target { verb: "create", resource: "events.events.k8s.io".into(), namespace }
    }

    fn denial() -> Answer {
        let message = "events.events.k8s.io is forbidden: User \"system:serviceaccount:a:op\" cannot create resource \
                       \"events\" in API group \"events.k8s.io\" in the namespace \"b\"";
        Answer::Refused { code: 403, message: message.into(), retry_after: None }
    }

    fn rights() -> (Arc<ByHand>, Rights) {
        let time = Arc::new(ByHand::default());
        (time.clone(), Rights::new(time, Duration::from_secs(60)))
    }

    #[test]
    fn a_missing_right_is_told_until_it_is_there() {
        let (_, rights) = rights();
        assert_eq!(rights.sentence(), None);
        rights.answered(&target(Some("b")), &denial());
        let sentence = rights.sentence().unwrap();
        let begins =
            "system:serviceaccount:a:op may not create events.events.k8s.io in namespace b; grant it";
        assert!(sentence.starts_with(begins), "{sentence}");
        rights.answered(&target(None), &denial());
        let sentence = rights.sentence().unwrap();
        assert!(sentence.contains("in all namespaces; grant it with a ClusterRole"), "{sentence}");
        assert!(sentence.ends_with("(and 1 more rights are missing)"), "{sentence}");
        rights.answered(&target(None), &Answer::Accepted);
        rights.answered(
            &target(Some("b")),
            &Answer::Refused { code: 409, message: String::new(), retry_after: None },
        );
        assert_eq!(rights.sentence(), None);
    }

    #[test]
    fn a_quota_and_a_denial_by_admission_are_no_missing_right() {
        let (_, rights) = rights();
        for message in
            ["pods \"x\" is forbidden: exceeded quota: q", "admission webhook \"w\" denied the request"]
        {
            rights.answered(
                &target(None),
                &Answer::Refused { code: 403, message: message.into(), retry_after: None },
            );
            assert_eq!(rights.sentence(), None, "{message}");
        }
    }

    #[test]
    fn leases_are_left_to_the_elections() {
        let (_, rights) = rights();
        let leases = Target { verb: "list", resource: LEASES.into(), namespace: Some("a".into()) };
        rights.answered(&leases, &denial());
        assert_eq!(rights.sentence(), None);
    }

    #[test]
    fn what_nobody_asks_for_any_more_is_forgotten() {
        let (time, rights) = rights();
        rights.answered(&target(Some("gone")), &denial());
        time.advance(Duration::from_secs(61));
        assert_eq!(rights.sentence(), None);
        assert!(rights.lock().is_empty());
    }
}
