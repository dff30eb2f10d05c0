//! History was rewound: the candidate that has proved it informs all others.

use super::Task;
use super::objects::Objects;
use crate::revision::Revision;

impl Task {
    /// The state machine has proved a rewind and has started over. Everything else in this process that stores states has to start over, too.
    pub(super) fn prove_rewind(&mut self, known: &Revision, read: &Revision) {
        // Only the state that was just read belongs to the restored history.
        let kept = self.objects.get(read).map(std::sync::Arc::clone);
        self.objects = Objects::default();
        if let Some(lease) = kept {
            self.objects.keep(read.clone(), lease);
        }
        if self.common.lease_watch.rewound(self.history) {
            let now = self.common.clock.now().monotonic;
            self.common.journal.rewound(&self.lease, known, read, now, &self.common.timings);
        }
        self.history = self.common.lease_watch.rewinds();
    }
}
