//! Who the leader is, and whether this replica can do its part.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::driver::candidate::CandidateStatus;
use crate::driver::elections::Elections;
use crate::driver::health::Health;
use crate::identity::Identity;

/// Tells who the leader is, and whether this replica can do its part. Cheap to clone. Knows nothing before the election has begun and after it has
/// ended.
#[derive(Clone, Debug, Default)]
pub struct Leader {
    running: Arc<Mutex<Option<Running>>>,
}

struct Running {
    elections: Elections,
    status: watch::Receiver<CandidateStatus>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.status.borrow().fmt(f)
    }
}

/// Ends what a [`Leader`] knows, so that it does not keep the election alive.
pub(super) struct Told(Leader);

impl Drop for Told {
    fn drop(&mut self) {
        *self.0.running.lock() = None;
    }
}

impl Leader {
    /// The holder of the Lease that was seen last. It may have crashed since.
    pub fn identity(&self) -> Option<Identity> {
        self.status().and_then(|status| status.holder)
    }

    /// Whether this process is the leader now. Reads the clock.
    pub fn is_me(&self) -> bool {
        self.status().and_then(|status| status.term).is_some_and(|term| term.is_valid())
    }

    /// Whether this replica can do its part, as a standby or as the leader; otherwise a sentence that says why not.
    ///
    /// # Errors
    ///
    /// If the election has not begun or has ended, if the API server refuses requests, or if it has not answered for LeaseDuration.
    pub fn ready(&self) -> Result<(), String> {
        let Some((health, limit)) = self.health() else {
            return Err("leader election does not run".to_owned());
        };
        if let Some(problem) = health.problems.first() {
            return Err(problem.sentence.clone());
        }
        if health.silent_for > limit {
            let why = health.unanswered.map(|why| format!(" ({why})")).unwrap_or_default();
            return Err(format!(
                "the API server has not answered for {} s{why}",
                health.silent_for.as_secs()
            ));
        }
        Ok(())
    }

    /// The health of the Lease traffic, and how long the API server may be silent.
    pub(super) fn health(&self) -> Option<(Health, std::time::Duration)> {
        let running = self.running.lock();
        let elections = &running.as_ref()?.elections;
        let options = elections.options();
        let mut health = elections.health();
        if !options.leader_election {
            // Nothing is sent, so nothing is answered.
            health.silent_for = std::time::Duration::ZERO;
        }
        Some((health, options.timings.lease_duration()))
    }

    pub(super) fn follows(&self, elections: Elections, status: watch::Receiver<CandidateStatus>) -> Told {
        *self.running.lock() = Some(Running { elections, status });
        Told(self.clone())
    }

    #[cfg(feature = "metrics")]
    pub(super) fn id(&self) -> Option<String> {
        Some(self.running.lock().as_ref()?.elections.options().id.to_string())
    }

    fn status(&self) -> Option<CandidateStatus> {
        Some(self.running.lock().as_ref()?.status.borrow().clone())
    }
}
