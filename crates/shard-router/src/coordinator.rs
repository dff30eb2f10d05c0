//! The work of the coordinator: it commits the layout, creates the shard Leases, publishes the plan, deletes the Leases of dead members,
//! stamps, runs the user's singleton tasks, and reconciles the kinds that are not sharded.
//!
//! But for these kinds, nothing here gives the right to reconcile. A coordinator that has lost its Lease and does not know it does no harm: its annotations are accepted only
//! while it holds the Lease, creating a Lease that exists fails, and its stamps are conditional on what it read.

mod control_loop;
mod gc;
mod layout_recovery;
pub(crate) mod lease_history;
mod tasks;
mod unsharded;

use std::{sync::Arc, time::Duration};

use lease_core::{Backoff, Elections, RequestError, Term};

use self::{control_loop::ControlLoop, lease_history::LeaseHistory, tasks::RunningTasks};
use crate::{
    kinds::Kinds,
    membership::{cluster_view::SharedClusterView, committed::Committed},
    routing::layout::Layout,
    setup::Setup,
    task::NamedTask,
};

/// The parts of one coordinator's work.
pub(crate) struct Coordinator {
    pub(crate) setup: Arc<Setup>,
    pub(crate) kinds: Kinds,
    pub(crate) elections: Elections,
    pub(crate) view: SharedClusterView,
    pub(crate) lease_history: Arc<LeaseHistory>,
    pub(crate) tasks: Vec<NamedTask>,
}

impl Coordinator {
    /// The work of one term. Ends when the term drains, after the user's tasks and the last reconcile have.
    pub(crate) async fn run(self: Arc<Self>, term: Term) {
        // Nothing starts before the committed layout is known to match: a stamper with another key label would stamp wrong buckets.
        let layout = tokio::select! {
            () = term.draining() => return,
            layout = self.commit_layout(&term) => layout,
        };
        let Some(layout) = layout else { return };
        let tasks = RunningTasks::start(&self.tasks, &self.setup.task_clients, &term);
        let stamper = self.setup.stamper_clients.of_term(&term);
        let mut unsharded = Box::pin(self.unsharded(&term));
        let has_ended = tokio::select! {
            () = term.draining() => false,
            () = &mut unsharded => true,
            () = self.control_loop(&term, layout) => false,
            () = self.kinds.stamp(&stamper, Duration::ZERO, None) => false,
        };
        if !has_ended {
            futures::join!(tasks.ended(), unsharded);
        } else if term.is_draining() {
            tasks.ended().await;
        }
        // Otherwise the work of a kind has ended by itself. Everything is started anew with the next term, the tasks included.
    }

    /// Never ends by itself.
    async fn control_loop(&self, term: &Term, layout: Layout) {
        let options = self.elections.options();
        let control_loop = ControlLoop {
            layout,
            names: self.setup.names.clone(),
            api: self.elections.client(),
            settle: self.setup.options.membership_settle(),
            lease_duration: options.timings.lease_duration(),
            retry: options.timings.hurried_retry(),
            clock: options.clock.clone(),
            lease_history: &self.lease_history,
            term: term.clone(),
        };
        control_loop.run(&self.view, self.elections.leases()).await;
    }

    /// Reads the coordinator Lease and commits layout generation 1 if it carries none. `None` if this replica must not
    /// coordinate.
    async fn commit_layout(&self, term: &Term) -> Option<Layout> {
        let timings = self.elections.options().timings;
        let mut backoff = Backoff::new(timings);
        loop {
            match self.try_commit(term).await {
                Ok(Commit::Done(layout)) => {
                    self.setup.coordination_problem.clear();
                    return Some(layout);
                }
                Ok(Commit::Again) => {}
                Ok(Commit::Refused) => {
                    // Another replica may match the layout. Without a pause, this replica would acquire the Lease again at once.
                    self.setup.clock.sleep(timings.retry_period()).await;
                    return None;
                }
                Err(error) => tracing::warn!(%error, "the layout could not be read; retrying"),
            }
            let now = self.setup.clock.now().monotonic;
            self.setup.clock.sleep(backoff.after_failure(now)).await;
        }
    }

    async fn try_commit(&self, term: &Term) -> Result<Commit, RequestError> {
        let (names, ours) = (&self.setup.names, &self.setup.layout);
        let api = self.elections.client();
        let lease = api.get(term.lease()).await?;
        match Committed::read(names, lease.as_ref()) {
            Committed::Layout(layout) if layout.mismatch(ours).is_none() => {
                let completed = layout.completed(ours);
                if completed != layout {
                    return Ok(self.commit(term, completed).await);
                }
                return Ok(Commit::Done(layout));
            }
            Committed::Layout(_) | Committed::Unreadable(_) => return Ok(Commit::Refused),
            Committed::Nothing => {}
        }
        let layout = match layout_recovery::recover(&api.list().await?, ours, names) {
            Ok(layout) => layout,
            Err(sentence) => {
                self.setup.coordination_problem.set(sentence);
                return Ok(Commit::Refused);
            }
        };
        Ok(self.commit(term, layout.completed(ours)).await)
    }

    async fn commit(&self, term: &Term, layout: Layout) -> Commit {
        let (key, json) = self.setup.names.annotation_of_layout(&layout);
        if let Err(error) = term.annotate([(key, Some(json))].into()).await {
            tracing::warn!(%error, "the layout was not committed; retrying");
            return Commit::Again;
        }
        tracing::info!(shards = %layout.shards, "committed layout generation {}", layout.generation);
        Commit::Done(layout)
    }
}

enum Commit {
    Done(Layout),
    Again,
    Refused,
}
