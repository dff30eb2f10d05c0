//! History was rewound: who proves it tells everyone.

use super::Task;
use super::objects::Objects;
use crate::revision::Revision;

impl Task {
    /// The state machine has proved it, and has begun anew. So does whatever else this process knows.
    pub(super) fn prove_rewind(&mut self, known: &Revision, read: &Revision) {
        // Only the state that was just read is of the history that is left.
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
