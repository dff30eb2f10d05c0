//! What the holder of the coordinator Lease does: commits the layout, creates the shard Leases, publishes the plan,
//! collects dead members' Leases, stamps, and runs the user's singleton tasks.
//!
//! Nothing here gives anyone the right to reconcile. A coordinator that is deposed without noticing can at worst repeat
//! what its successor does too: its annotations land only while it holds the Lease, it creates Leases that exist already,
//! and its stamps are conditional on what it read.

pub(crate) mod birth;
mod gc;
mod steward;

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use lease_core::{Candidate, Elections, Term};
use tokio::{sync::watch, task::JoinSet};

use self::{birth::Births, steward::Steward};
use crate::{
    held::gated_by, hold::Hold, layout::Layout, reconciler::Reconciler, setup::Setup, sharded::Sharded,
    task::NamedTask, world::World,
};

/// The parts of one coordinator's work.
pub(crate) struct Coordinator<K: Sharded, R: Reconciler<K>> {
    pub(crate) setup: Arc<Setup<K, R>>,
    pub(crate) elections: Elections,
    /// Our own candidate for the coordinator Lease, once there is one.
    pub(crate) candidate: watch::Receiver<Option<std::sync::Weak<Candidate>>>,
    pub(crate) births: Births,
    pub(crate) tasks: Vec<NamedTask>,
}

impl<K: Sharded, R: Reconciler<K>> Coordinator<K, R> {
    /// The work of one term. Ends when the term drains, after the user's tasks have.
    pub(crate) async fn run(self: Arc<Self>, term: Term) {
        let hold = Hold::Elected(term.clone());
        let mut tasks = JoinSet::new();
        for task in &self.tasks {
            let client = gated_by(&hold, &self.setup.base);
            tasks.spawn(term.track(task.start(client, Some(hold.clone()), draining(&term))));
        }
        let stamper = self.setup.stamper(gated_by(&hold, &self.setup.stamper_base), Duration::ZERO);
        let namespace = self.setup.options.watch_namespace.clone();
        tokio::select! {
            () = term.draining() => {}
            () = self.steward(&term) => return,
            () = stamper.run::<K>(namespace.as_deref()) => {}
        }
        while let Some(ended) = tasks.join_next().await {
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!("a task of the coordinator has panicked");
            }
        }
    }

    /// Ends only if this replica must not coordinate.
    async fn steward(&self, term: &Term) {
        let Some(layout) = self.commit_layout(term).await else { return };
        let options = self.elections.options();
        let steward = Steward {
            layout,
            names: self.setup.names.clone(),
            api: self.elections.client(),
            settle: self.setup.options.membership_settle(),
            lease_duration: options.timings.lease_duration(),
            retry: options.timings.hurried_retry(),
            clock: options.clock.clone(),
            births: &self.births,
            term: term.clone(),
        };
        let world = World::new(self.setup.names.clone());
        steward.run(world, self.elections.leases(), |annotations| self.annotate(annotations)).await;
    }

    /// Reads the coordinator Lease and commits layout generation 1 if it carries none. `None` if the committed layout
    /// is not ours: then this replica must not coordinate.
    async fn commit_layout(&self, term: &Term) -> Option<Layout> {
        let names = &self.setup.names;
        let retry = self.elections.options().timings.hurried_retry();
        loop {
            match self.elections.client().get(term.lease()).await {
                Ok(lease) => match crate::world::Committed::read(names, lease.as_ref()) {
                    crate::world::Committed::Layout(layout) => {
                        let differs = layout.mismatch(&self.setup.layout);
                        return if differs.is_none() { Some(layout) } else { None };
                    }
                    crate::world::Committed::Garbled(_) => return None,
                    crate::world::Committed::Nothing => {
                        let json = serde_json::to_string(&self.setup.layout).expect("a layout is plain data");
                        let annotation = (names.layout_annotation(), Some(json));
                        if self.annotate([annotation].into()).await {
                            tracing::info!(shards = %self.setup.layout.shards, "committed layout generation 1");
                            return Some(self.setup.layout.clone());
                        }
                    }
                },
                Err(error) => tracing::warn!(%error, "the coordinator Lease could not be read; retrying"),
            }
            self.setup.clock.sleep(retry).await;
        }
    }

    /// Whether the annotations were written, which can only happen while we hold the Lease.
    async fn annotate(&self, annotations: std::collections::BTreeMap<String, Option<String>>) -> bool {
        let mut candidate = self.candidate.clone();
        let known = candidate.wait_for(Option::is_some).await.ok().and_then(|known| known.clone());
        match known.and_then(|known| known.upgrade()) {
            Some(candidate) => candidate.annotate(annotations).await.is_ok(),
            None => false,
        }
    }
}

fn draining(term: &Term) -> futures::future::BoxFuture<'static, ()> {
    let term = term.clone();
    async move { term.draining().await }.boxed()
}
