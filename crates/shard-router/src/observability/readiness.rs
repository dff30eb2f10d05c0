//! Whether a replica is ready, and if not, why.

use std::sync::Arc;

use tokio::sync::watch;

/// Whether this replica could take over work at once. A standby that waits for a Lease is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It could, or does.
    Ready,
    /// It could not.
    NotReady {
        /// One sentence: what is wrong, and what to do.
        because: String,
    },
}

/// Asks a replica about its readiness. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ReadinessProbe(watch::Receiver<Readiness>);

impl ReadinessProbe {
    /// As it stands now.
    pub fn get(&self) -> Readiness {
        self.0.borrow().clone()
    }

    /// Resolves when the replica is ready; never, if it has ended.
    pub async fn ready(&self) {
        let mut readiness = self.0.clone();
        if readiness.wait_for(|readiness| *readiness == Readiness::Ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Tells.
#[derive(Debug, Clone)]
pub(crate) struct ReadinessSwitch(Arc<watch::Sender<Readiness>>);

impl ReadinessSwitch {
    pub(crate) fn starting() -> Self {
        let because = "the replica is starting".to_owned();
        Self(Arc::new(watch::Sender::new(Readiness::NotReady { because })))
    }

    pub(crate) fn probe(&self) -> ReadinessProbe {
        ReadinessProbe(self.0.subscribe())
    }

    /// Each change is said in the log once.
    pub(crate) fn set(&self, readiness: Readiness) {
        self.0.send_if_modified(|current| {
            if *current == readiness {
                return false;
            }
            match &readiness {
                Readiness::Ready => tracing::info!("ready"),
                Readiness::NotReady { because } => tracing::warn!("not ready: {because}"),
            }
            *current = readiness;
            true
        });
    }
}
