//! Until when the API server wants to be left alone.

use std::{sync::Arc, time::Duration};

use lease_core::{Clock, Monotonic};
use parking_lot::Mutex;

use super::requests::{Answer, Observer, Target};

/// The latest `Retry-After` of the answers to one shard's requests.
///
/// Whatever fails meanwhile is tried again no sooner, not only the reconcile that was refused: API Priority and Fairness counts the requests of
/// a user, and the next reconcile of the same shard would be refused as well.
pub(crate) struct RetryAfter {
    clock: Arc<dyn Clock>,
    longest: Duration,
    until: Mutex<Monotonic>,
}

impl RetryAfter {
    /// Nothing is waited for beyond `longest`, whatever a server asks for.
    pub(crate) fn new(clock: Arc<dyn Clock>, longest: Duration) -> Arc<Self> {
        Arc::new(Self { clock, longest, until: Mutex::new(Monotonic::ORIGIN) })
    }

    /// How much longer; zero where nothing was asked for, or where that time is over.
    pub(crate) fn remaining(&self) -> Duration {
        self.until.lock().duration_since(self.clock.now().monotonic)
    }
}

impl Observer for RetryAfter {
    fn answered(&self, _: &Target, answer: &Answer) {
        if let Answer::Refused { retry_after: Some(asked), .. } = answer {
            let until = self.clock.now().monotonic + self.longest.min(*asked);
            let mut latest = self.until.lock();
            *latest = until.max(*latest);
        }
    }
}
