//! The work of the coordinator: it commits the layout, creates the shard Leases, publishes the plan, deletes the Leases of dead members,
//! stamps, runs the user's singleton tasks, and reconciles the kinds that are not sharded.
//!
//! But for these kinds, nothing here gives the right to reconcile. A coordinator that has lost its Lease and does not know it does no harm: its annotations are accepted only
//! while it holds the Lease, creating a Lease that exists fails, and its stamps are conditional on what it read.

mod change;
mod control_loop;
mod gc;
mod layout_recovery;
mod layout_writer;
pub(crate) mod lease_history;
mod shard_leases;
mod shards_config_map;
mod tasks;
mod unsharded;

use std::{sync::Arc, time::Duration};

use futures::future::pending;
use lease_core::{Backoff, Elections, RequestError, Term};
use tokio::sync::watch;

use self::{
    control_loop::ControlLoop, layout_writer::LayoutWriter, lease_history::LeaseHistory, tasks::RunningTasks,
};
use crate::{
    fencing::RowKey,
    kinds::Kinds,
    layout_change::{Generation, leases::NOTHING, recovery},
    membership::{
        cluster_view::{SharedClusterView, shard_leases, version},
        committed::Committed,
    },
    ownership::HoldRows,
    routing::{bucket::ShardId, layout::Layout},
    setup::Setup,
    task::NamedTask,
    wanted_shards::{Wanted, WantedShards},
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
        let (wanted, read) = watch::channel(Wanted::default());
        tokio::select! {
            () = self.coordinate(&term, read) => {}
            () = self.read_wanted_shards(&term, &wanted) => {}
        }
    }

    async fn coordinate(&self, term: &Term, read: watch::Receiver<Wanted>) {
        let options = &self.setup.options;
        let read = options.shards_config_map.is_some().then_some(read);
        let mut wanted = WantedShards::new(options.shards, options.wanted_shards.clone(), read);
        let mut writer = LayoutWriter::new(term.clone(), self.setup.names.clone());
        // Nothing starts before the committed layout is known to match: a stamper with another key label would stamp wrong buckets.
        let layout = tokio::select! {
            () = term.draining() => return,
            layout = self.commit_layout(term, &mut writer, &mut wanted) => layout,
        };
        let Some(layout) = layout else { return };
        let generation = layout.generation;
        let rows = self.setup.ownership.of_hold(term, None);
        rows.want([RowKey::Coordinator, RowKey::Stamping], term.token());
        let mut tasks = RunningTasks::default();
        let mut unsharded = Box::pin(self.unsharded(term, generation, &rows));
        let has_ended = tokio::select! {
            () = term.draining() => false,
            () = &mut unsharded => true,
            () = self.control_loop(term, layout, writer, wanted) => false,
            () = self.stamp(term, generation, &rows) => false,
            () = self.start_tasks(term, &rows, &mut tasks) => false,
        };
        if !has_ended {
            futures::join!(tasks.ended(), unsharded);
        } else if term.is_draining() {
            tasks.ended().await;
        }
        // Otherwise the work of a kind has ended by itself. Everything is started anew with the next term, the tasks included.
    }

    /// Never ends by itself.
    async fn stamp(&self, term: &Term, generation: u64, rows: &HoldRows) {
        self.setup.layouts.reached(generation).await;
        self.setup.layouts.may_stamp().await;
        rows.ready(RowKey::Stamping).await;
        self.kinds.stamp(&self.setup.stamper_clients.of_term(term), Duration::ZERO, None).await;
    }

    /// Never ends by itself.
    async fn start_tasks(&self, term: &Term, rows: &HoldRows, running: &mut RunningTasks) {
        rows.ready(RowKey::Coordinator).await;
        *running = RunningTasks::start(&self.tasks, &self.setup.task_clients, term);
        pending::<()>().await;
    }

    /// Never ends by itself.
    async fn read_wanted_shards(&self, term: &Term, wanted: &watch::Sender<Wanted>) {
        match &self.setup.options.shards_config_map {
            Some(config_map) => {
                let client = self.setup.task_clients.of_term(term);
                shards_config_map::follow(&self.setup, config_map, client, wanted).await;
            }
            None => pending().await,
        }
    }

    /// Never ends by itself.
    async fn control_loop(&self, term: &Term, layout: Layout, writer: LayoutWriter, wanted: WantedShards) {
        let (options, setup) = (self.elections.options(), &self.setup.options);
        let layout_shards = layout.shards;
        let control_loop = ControlLoop {
            layout,
            writer,
            wanted: layout_shards,
            wanted_shards: wanted,
            names: self.setup.names.clone(),
            api: self.elections.client(),
            settle: setup.membership_settle(),
            lease_duration: options.timings.lease_duration(),
            retry: options.timings.hurried_retry(),
            clock: options.clock.clone(),
            lease_history: &self.lease_history,
            term: term.clone(),
            surplus_since: None,
            metrics: &self.setup.metrics,
        };
        control_loop.run(&self.view, self.elections.leases()).await;
    }

    /// Reads the coordinator Lease and commits a layout if it carries none. `None` if this replica must not
    /// coordinate.
    async fn commit_layout(
        &self,
        term: &Term,
        writer: &mut LayoutWriter,
        wanted: &mut WantedShards,
    ) -> Option<Layout> {
        let timings = self.elections.options().timings;
        let mut backoff = Backoff::new(timings);
        loop {
            match self.try_commit(term, writer, wanted).await {
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

    async fn try_commit(
        &self,
        term: &Term,
        writer: &mut LayoutWriter,
        wanted: &mut WantedShards,
    ) -> Result<Commit, RequestError> {
        let (names, ours) = (&self.setup.names, &self.setup.layout);
        let api = self.elections.client();
        if writer.is_uncertain() {
            writer.resolve(&api).await?;
        }
        let lease = api.get(term.lease()).await?;
        let mut replaced = None;
        match Committed::read(names, lease.as_ref()) {
            Committed::Layout(layout) if layout.mismatch(ours).is_none() => {
                let completed = layout.completed(ours);
                if completed != layout {
                    return Ok(self.commit(writer, completed).await);
                }
                writer.has_read(lease.as_ref().and_then(version));
                return Ok(Commit::Done(layout));
            }
            Committed::Layout(layout) if self.setup.options.layout_replacement => {
                let differs = layout.mismatch(ours).unwrap_or_default();
                tracing::warn!(
                    "the committed layout is replaced, as this replica's settings ask for; {differs}"
                );
                replaced = Some(layout.generation());
            }
            Committed::Layout(_) | Committed::Unreadable(_) => return Ok(Commit::Refused),
            Committed::Nothing => {}
        }
        match self.recover(term, wanted, replaced).await? {
            Ok(layout) => Ok(self.commit(writer, layout).await),
            Err(sentence) => {
                self.setup.coordination_problem.set(sentence);
                Ok(Commit::Refused)
            }
        }
    }

    /// The layout to commit where none is, or instead of one that is replaced. If there were shard Leases, whatever they are by now: after one LeaseDuration of watching them. The
    /// generation of a layout tells which ones there are, so where one is replaced there is nothing to watch.
    async fn recover(
        &self,
        term: &Term,
        wanted: &mut WantedShards,
        replaced: Option<Generation>,
    ) -> Result<Result<Layout, String>, RequestError> {
        let (names, ours) = (&self.setup.names, &self.setup.layout);
        let (api, history) = (self.elections.client(), &self.lease_history);
        let listed = api.list().await?;
        if !self.setup.options.layout_replacement
            && let Err(sentence) = layout_recovery::check(&listed, ours, names)
        {
            return Ok(Err(sentence));
        }
        let now = self.setup.clock.now().monotonic;
        history.observe(now, &listed);
        let wait = history.unobserved(now);
        // Where there are none, new ones are created with placeholders, which have to expire.
        let listed = if replaced.is_some() || history.seen_lately(now).is_empty() || wait.is_zero() {
            listed
        } else {
            tracing::info!(
                "lease {} carries no layout; the shard Leases are watched for {wait:?} before one is committed",
                names.coordinator()
            );
            self.setup.clock.sleep(wait).await;
            api.list().await?
        };
        let proven = history.may_create_released(ShardId(0), term).await;
        let now = self.setup.clock.now().monotonic;
        history.observe(now, &listed);
        let mut leases = history.seen_lately(now);
        leases.extend(shard_leases(names, &listed));
        for shard in (0..replaced.map_or(0, |replaced| replaced.width())).map(ShardId) {
            leases.entry(shard).or_insert(NOTHING);
        }
        let larger_than = replaced.map_or(0, |replaced| replaced.number);
        // Each generation was committed by a write before this term's, so its number is smaller than that of the write.
        let larger_than = if proven { larger_than } else { term.token().0.max(larger_than) };
        // What the ConfigMap says counts from the first layout on, if it can be read in time.
        tokio::select! {
            () = wanted.known() => {}
            () = self.setup.clock.sleep(self.elections.options().timings.lease_duration()) => {}
        }
        let recovered = recovery::recovered(wanted.number(None), &leases, larger_than);
        Ok(Ok(ours.in_generation(recovered)))
    }

    async fn commit(&self, writer: &mut LayoutWriter, layout: Layout) -> Commit {
        if !writer.write(vec![self.setup.names.annotation_of_layout(&layout)]).await {
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
