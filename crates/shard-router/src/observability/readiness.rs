//! The readiness of a replica.

use std::sync::Arc;

use lease_core::Monotonic;
use tokio::sync::watch;

use super::log_limit::LogLimit;

/// Whether this replica works or could take over work at once. A standby that waits for a Lease is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It works, or could take over work at once.
    Ready,
    /// It could not work.
    NotReady {
        /// One sentence that says what is wrong and what to do.
        because: String,
    },
}

/// A handle to the readiness of a replica. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReadinessProbe(watch::Receiver<Readiness>);

impl ReadinessProbe {
    /// The current readiness.
    pub fn get(&self) -> Readiness {
        self.0.borrow().clone()
    }

    /// Resolves when the replica is ready. Never resolves if it has ended.
    pub async fn ready(&self) {
        let mut readiness = self.0.clone();
        if readiness.wait_for(|readiness| *readiness == Readiness::Ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Sets the readiness of a replica.
#[derive(Debug, Clone)]
pub(crate) struct ReadinessSwitch {
    sender: Arc<watch::Sender<Readiness>>,
    log_limit: LogLimit,
}

impl ReadinessSwitch {
    pub(crate) fn starting() -> Self {
        let because = "the replica is starting".to_owned();
        Self {
            sender: Arc::new(watch::Sender::new(Readiness::NotReady { because })),
            log_limit: LogLimit::default(),
        }
    }

    pub(crate) fn probe(&self) -> ReadinessProbe {
        ReadinessProbe(self.sender.subscribe())
    }

    /// Logs each change. A reason in which only a number has changed, such as a duration, is logged at most once a minute.
    pub(crate) fn set(&self, readiness: Readiness, now: Monotonic) {
        self.sender.send_if_modified(|current| {
            if *current == readiness {
                return false;
            }
            match &readiness {
                Readiness::Ready => tracing::info!("ready"),
                Readiness::NotReady { because } if self.is_news(current, because, now) => {
                    tracing::warn!("not ready: {because}");
                }
                Readiness::NotReady { .. } => {}
            }
            *current = readiness;
            true
        });
    }

    fn is_news(&self, before: &Readiness, because: &str, now: Monotonic) -> bool {
        let due = self.log_limit.due(&without_figures(because), now).is_some();
        due || *before == Readiness::Ready
    }
}

fn without_figures(sentence: &str) -> String {
    sentence.chars().filter(|character| !character.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn not_ready(because: String) -> Readiness {
        Readiness::NotReady { because }
    }

    #[test]
    fn a_sentence_that_counts_on_is_told_at_once_and_said_in_the_log_once_a_minute() {
        let switch = ReadinessSwitch::starting();
        let mut said = Vec::new();
        for second in 0..=120_u64 {
            let because = format!("shard 3 is held but not worked on for {second} s now");
            if switch.is_news(&switch.probe().get(), &because, at(second)) {
                said.push(second);
            }
            switch.set(not_ready(because.clone()), at(second));
            assert_eq!(switch.probe().get(), not_ready(because));
        }
        assert_eq!(said, [0, 60, 120]);
    }

    #[test]
    fn another_sentence_and_one_after_ready_are_said_at_once() {
        let switch = ReadinessSwitch::starting();
        let because = "may not list things";
        assert!(switch.is_news(&not_ready("the replica is starting".into()), because, at(1)));
        assert!(!switch.is_news(&not_ready("other".into()), because, at(2)));
        assert!(switch.is_news(&Readiness::Ready, because, at(3)));
        assert!(switch.is_news(&not_ready(because.into()), "nothing was heard", at(4)));
    }
}
