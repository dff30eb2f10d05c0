//! The clean-ups of [`Mutant::DeletedIsCleanUp`](super::Mutant::DeletedIsCleanUp) that run.

use std::sync::OnceLock;

use tokio_util::task::TaskTracker;

pub(crate) fn clean_ups() -> &'static TaskTracker {
    static RUNNING: OnceLock<TaskTracker> = OnceLock::new();
    RUNNING.get_or_init(|| {
        let tracker = TaskTracker::new();
        // So that it can be waited for; tasks are taken all the same.
        tracker.close();
        tracker
    })
}

/// Returns when [`Mutant::DeletedIsCleanUp`](super::Mutant::DeletedIsCleanUp) has deleted what it deletes.
pub async fn cleaned_up() {
    clean_ups().wait().await;
}
