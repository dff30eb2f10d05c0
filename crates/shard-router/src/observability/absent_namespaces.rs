//! Configured namespaces that do not exist: mistyped, not created yet, or deleted.
//!
//! If the account may list resources in all namespaces, the list of a namespace that does not exist is empty and not an error. So nothing
//! fails, and nothing is found. If the account may read the namespace, the problem is logged; the right to do so is optional.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::future::{join_all, pending};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use lease_core::{Clock, Monotonic};

/// How long after an answer the namespace is checked again: it may be created or deleted at any time.
const EVERY: Duration = Duration::from_mins(5);

/// The first pause after a check that was not answered. Each following pause is twice as long, up to [`EVERY`].
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// How often it is logged that a namespace is still absent.
const REMINDER: Duration = Duration::from_hours(1);

/// Checks each of these namespaces from the start on, and logs which are absent. Never ends by itself.
///
/// `resource` is the watched resource, as `plural.group`.
pub(crate) async fn report(
    client: Client,
    namespaces: &BTreeSet<String>,
    resource: &str,
    clock: Arc<dyn Clock>,
) {
    let looks = namespaces.iter().map(|namespace| {
        let (api, clock) = (Api::<Namespace>::all(client.clone()), clock.clone());
        async move {
            let mut presence = Presence::new(namespace, resource);
            while let Some(pause) =
                presence.observe(Answer::of(api.get(namespace).await), clock.now().monotonic)
            {
                clock.sleep(pause).await;
            }
        }
    });
    join_all(looks).await;
    pending::<()>().await;
}

/// The API server's answer about a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Exists,
    Absent,
    /// This account may not read the namespace.
    Forbidden,
    /// There is no answer, or one that does not say.
    Unknown,
}

impl Answer {
    fn of(answer: kube::Result<Namespace>) -> Self {
        match answer {
            Ok(_) => Self::Exists,
            Err(kube::Error::Api(status)) if status.code == 404 => Self::Absent,
            Err(kube::Error::Api(status)) if status.code == 403 => Self::Forbidden,
            Err(_) => Self::Unknown,
        }
    }
}

/// What is known of one namespace.
struct Presence<'a> {
    namespace: &'a str,
    resource: &'a str,
    /// When it was last logged that it is absent.
    told: Option<Monotonic>,
    retry: Duration,
}

impl<'a> Presence<'a> {
    fn new(namespace: &'a str, resource: &'a str) -> Self {
        Self { namespace, resource, told: None, retry: FIRST_RETRY }
    }

    /// Processes an answer. Returns how long to wait before the next check; `None` if another check is useless.
    fn observe(&mut self, answer: Answer, now: Monotonic) -> Option<Duration> {
        match answer {
            Answer::Forbidden => return None,
            Answer::Unknown => {
                let pause = self.retry;
                self.retry = (pause * 2).min(EVERY);
                return Some(pause);
            }
            Answer::Exists if self.told.take().is_some() => {
                tracing::info!("namespace {} exists now", self.namespace);
            }
            Answer::Absent if self.told.is_none_or(|told| now.duration_since(told) >= REMINDER) => {
                self.told = Some(now);
                tracing::warn!("{}", self.sentence());
            }
            Answer::Exists | Answer::Absent => {}
        }
        self.retry = FIRST_RETRY;
        Some(EVERY)
    }

    fn sentence(&self) -> String {
        format!(
            "namespace {} is to be watched and does not exist, so no {} are found there; create it, or correct the namespaces to watch",
            self.namespace, self.resource
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn presence() -> Presence<'static> {
        Presence::new("team-aa", "gadgets.example.com")
    }

    /// At which of these answers, one every five minutes, it is said that the namespace is absent.
    fn told(answers: &[Answer]) -> Vec<usize> {
        let mut presence = presence();
        let mut told = Vec::new();
        for (nth, answer) in answers.iter().enumerate() {
            let now = at(EVERY.as_secs() * nth as u64);
            assert_eq!(presence.observe(*answer, now), Some(EVERY));
            if presence.told == Some(now) {
                told.push(nth);
            }
        }
        told
    }

    #[test]
    fn the_sentence_says_what_is_wrong_where_and_what_to_do() {
        assert_eq!(
            presence().sentence(),
            "namespace team-aa is to be watched and does not exist, so no gadgets.example.com are found there; create it, \
             or correct the namespaces to watch"
        );
    }

    #[test]
    fn it_is_said_at_the_start_and_once_an_hour() {
        assert_eq!(told(&[Answer::Absent; 30]), [0, 12, 24]);
        assert_eq!(told(&[Answer::Exists; 30]), [0; 0]);
    }

    #[test]
    fn it_is_said_at_once_of_a_namespace_that_was_deleted() {
        use Answer::{Absent, Exists};
        assert_eq!(told(&[Exists, Absent, Absent, Exists, Absent]), [1, 4]);
    }

    #[test]
    fn whoever_may_not_look_does_not_look_again() {
        assert_eq!(presence().observe(Answer::Forbidden, at(0)), None);
    }

    #[test]
    fn an_api_server_that_does_not_answer_is_asked_more_and_more_seldom() {
        let mut presence = presence();
        let mut pause = || presence.observe(Answer::Unknown, at(0)).unwrap().as_secs();
        let pauses: Vec<_> = (0..12).map(|_| pause()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        presence.observe(Answer::Exists, at(0));
        assert_eq!(presence.observe(Answer::Unknown, at(0)), Some(FIRST_RETRY));
    }
}
