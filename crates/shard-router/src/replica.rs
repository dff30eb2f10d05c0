//! One replica under leader election: its candidates, and the loop that decides what they contend for.

mod ability;
mod assessment;
mod backup_stamper;
mod candidates;
mod ended_members;
mod fencing_check;
mod intent;
mod other_namespaces;
mod plan_cache;
mod replica_tasks;
mod report;
mod row_writer;
mod shard_candidates;
mod shutdown;
pub(crate) mod unelected;

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use futures::FutureExt;
use kube::Api;
use lease_core::{Candidate, Connection, Elections, Identity, Monotonic, NOBODY, Timings};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{
    ability::Ability,
    other_namespaces::OtherNamespaces,
    shard_candidates::{Disposition, ShardCandidates},
};
use crate::{
    coordinator::{Coordinator, lease_history::LeaseHistory},
    error::RunError,
    kinds::Kinds,
    layout_change::Generation,
    membership::{
        cluster_view::{ClusterView, DEBOUNCE, SharedClusterView},
        committed::{Committed, Verdict},
    },
    observability::readiness::ReadinessSwitch,
    ownership,
    routing::bucket::{BUCKETS, ShardId},
    setup::Setup,
    task::NamedTask,
};

/// The user's tasks besides reconciling.
pub(crate) struct Tasks {
    pub(crate) every_replica: Vec<NamedTask>,
    pub(crate) coordinator: Vec<NamedTask>,
}

/// Runs until `shutdown`, then drains, releases and returns.
pub(crate) async fn run(
    setup: Arc<Setup>,
    kinds: Kinds,
    connection: Connection,
    tasks: Tasks,
    readiness: ReadinessSwitch,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    let mut background = JoinSet::new();
    let histories = watch::Sender::new(0);
    for task in tasks.every_replica {
        let task = replica_tasks::run_until(setup.clone(), task, stop.clone(), histories.subscribe());
        background.spawn(task);
    }
    let mut shutdown = std::pin::pin!(shutdown);
    let elections = Elections::start(connection, setup.options.elections.clone());
    let starting = async { futures::join!(lease_history(&setup), elections) };
    let (lease_history, elections) = tokio::select! {
        started = starting => started,
        // Nothing is held yet, so there is nothing to drain.
        () = &mut shutdown => return Ok(()),
    };
    let verdict = watch::Sender::new(Verdict::Wait);
    let elections = elections?;
    setup.watched.follow_restores(elections.rewinds());
    if ownership::rules::others_stamp(setup.ownership.is_on()) {
        let verdict = verdict.subscribe();
        background.spawn(backup_stamper::run(setup.clone(), kinds.clone(), verdict, elections.clone()));
    }
    background.spawn(row_writer::run(setup.clone(), elections.clone()));
    background.spawn(fencing_check::run(setup.clone(), kinds.clone()));
    background.spawn(replica_tasks::forward_rewinds(elections.rewinds(), histories));
    background.spawn(ended_members::delete(setup.clone(), elections.clone()));
    let replica = Replica::new(
        setup,
        kinds,
        elections,
        Arc::new(lease_history),
        tasks.coordinator,
        verdict,
        readiness,
    )?;
    tokio::select! {
        () = shutdown => {}
        () = replica.follow_leases() => {}
        () = replica.monitor_ability() => {}
        () = panics(&mut background) => {}
    }
    stop.cancel();
    replica.shut_down().await;
    background.shutdown().await;
    Ok(())
}

/// Panics as soon as one of the tasks has: without it the replica would go on and look as if nothing were missing. Never ends otherwise.
async fn panics(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
    std::future::pending::<()>().await;
}

struct Replica {
    setup: Arc<Setup>,
    kinds: Kinds,
    elections: Elections,
    view: SharedClusterView,
    lease_history: Arc<LeaseHistory>,
    coordinator: Candidate,
    member: Candidate,
    shard_candidates: ShardCandidates,
    wake: Arc<Notify>,
    verdict: watch::Sender<Verdict>,
    readiness: ReadinessSwitch,
    ability: Mutex<Ability>,
    /// Report the states of the candidates as metrics; end with the replica.
    watchers: JoinSet<()>,
}

impl Replica {
    fn new(
        setup: Arc<Setup>,
        kinds: Kinds,
        elections: Elections,
        lease_history: Arc<LeaseHistory>,
        coordinator_tasks: Vec<NamedTask>,
        verdict: watch::Sender<Verdict>,
        readiness: ReadinessSwitch,
    ) -> Result<Self, RunError> {
        let wake = Arc::new(Notify::new());
        let mut watchers = JoinSet::new();
        let options = &setup.options.elections;
        let lease_duration = options.timings.lease_duration();
        let view = SharedClusterView::new(setup.names.clone(), options.installation.clone(), lease_duration);
        let coordinator = candidates::coordinator(Coordinator {
            setup: setup.clone(),
            kinds: kinds.clone(),
            elections: elections.clone(),
            view: view.clone(),
            lease_history: lease_history.clone(),
            tasks: coordinator_tasks,
        })?;
        watchers.spawn(report::follow(setup.clone(), None, &coordinator, wake.clone()));
        let member = candidates::member(&setup, &elections)?;
        watchers.spawn(report::follow(setup.clone(), None, &member, wake.clone()));
        // The last shard that there can be: a name that is too long is an error at the start.
        setup.names.shard(ShardId(BUCKETS - 1))?;
        let make = {
            let (setup, kinds, elections, wake) =
                (setup.clone(), kinds.clone(), elections.clone(), wake.clone());
            move |shard| {
                let candidate = candidates::shard(&setup, &kinds, &elections, shard)?;
                let report = report::follow(setup.clone(), Some(shard), &candidate, wake.clone());
                Ok((candidate, report.boxed()))
            }
        };
        let limit = setup.options.shutdown_limit();
        let shard_candidates = ShardCandidates::new(
            elections.identity().clone(),
            setup.clock.clone(),
            Box::new(make),
            (limit, wake.clone()),
        );
        let ability = Mutex::new(Ability::new(elections.options().timings.lease_duration()));
        Ok(Self {
            setup,
            kinds,
            elections,
            view,
            lease_history,
            coordinator,
            member,
            shard_candidates,
            wake,
            verdict,
            readiness,
            ability,
            watchers,
        })
    }

    /// Acts on each change of the Leases. Never ends by itself.
    async fn follow_leases(&self) {
        let mut leases = self.elections.leases();
        let timings = self.elections.options().timings;
        // Until the Leases are known, nobody can say whether this replica may contend for anything.
        while !self.synced(&mut leases, timings.retry_period()).await {
            self.assess(None, false);
        }
        let mut has_worked = false;
        let mut waited_for = BTreeSet::new();
        let own = self.setup.watched_namespaces();
        let mut other_namespaces = OtherNamespaces::new(self.elections.identity().clone(), own);
        loop {
            let now = self.setup.clock.now().monotonic;
            // Before the Leases, so that none of an earlier history counts as one of this.
            let history = *self.elections.rewinds().borrow();
            let snapshot = leases.snapshot();
            report::transitions(&self.setup, &snapshot);
            let rewinds = self.elections.health().rewinds;
            self.setup.metrics.rewinds(rewinds);
            if rewinds > 0 {
                self.lease_history.invalidate();
            }
            self.lease_history.observe(now, snapshot.iter().map(|shown| &*shown.lease));
            let view = self.view.observe(now, &snapshot);
            self.setup.metrics.foreign_installation(view.foreign().is_some());
            self.setup.metrics.predecessor(view.yields_to().is_some());
            let verdict = view.verdict(&self.setup.layout, self.setup.options.layout_replacement);
            let known = self.learn_layout(&view, history);
            self.shard_candidates.fit(known.as_ref(), &view.shard_leases);
            let leaves_to_others = self.ability().unable().is_some()
                && view.membership.another_is_able(self.elections.identity());
            self.contend(&verdict, known.as_ref(), leaves_to_others);
            has_worked |= verdict == Verdict::Work;
            if let Verdict::Yield(sentence) = &verdict
                && *self.verdict.borrow() != verdict
                && !has_worked
            {
                tracing::warn!("waiting: {sentence}");
            }
            self.tell_of_replacement(&verdict);
            // What a replica watches that contends for no shard is of no consequence.
            let refuses = matches!(verdict, Verdict::Refuse(_) | Verdict::Replace(_));
            let differ = if refuses { 0 } else { other_namespaces.observe(&view, now) };
            self.setup.metrics.other_namespaces(differ);
            self.assess(Some(&verdict), has_worked);
            self.verdict.send_replace(verdict.clone());
            if verdict == Verdict::Work {
                let settled = view.membership.stable_for(now) >= self.setup.options.membership_settle();
                let current =
                    settled && self.elections.health().watch_is_live && !self.others_honour_the_ended(now);
                self.shard_candidates.follow(&view, current, timings);
                self.tell_whom_it_waits_for(&view, &mut waited_for);
            }
            tokio::select! {
                () = leases.changed() => self.setup.clock.sleep(DEBOUNCE).await,
                () = self.wake.notified() => {}
                () = self.setup.clock.sleep(until_next_look(&view, now, timings)) => {}
            }
        }
    }

    /// Whether others may still honour an earlier process of this container, which has ended, as the holder of a shard that this replica has taken back. They
    /// could not take the shard if it were handed over now.
    fn others_honour_the_ended(&self, now: Monotonic) -> bool {
        let lease_duration = self.elections.options().timings.lease_duration();
        self.elections.ended().honoured_by_others_until(lease_duration).is_some_and(|until| now < until)
    }

    /// Takes in what the Leases say about the layout.
    fn learn_layout(&self, view: &ClusterView, history: u64) -> Option<Generation> {
        let layouts = &self.setup.layouts;
        layouts.restored(history);
        if let (Committed::Layout(layout), Some(lease)) = (&view.committed, view.coordinator_lease()) {
            self.setup.learn_layout(lease, layout);
        }
        layouts.shown(&view.shard_leases);
        let layout = layouts.layout()?;
        self.setup.metrics.layout_shards(layout.shards.get());
        Some(layout.generation())
    }

    /// Says that this replica waits to replace the layout, and when it does not any more.
    fn tell_of_replacement(&self, verdict: &Verdict) {
        let waited = matches!(*self.verdict.borrow(), Verdict::Replace(_));
        match verdict {
            Verdict::Replace(sentence) if !waited => {
                tracing::warn!(
                    "waiting for the coordinator Lease, to replace the committed layout: {sentence}"
                );
                self.setup.metrics.layout_change_pending(true);
            }
            Verdict::Replace(_) => {}
            _ if waited => self.setup.metrics.layout_change_pending(false),
            _ => {}
        }
    }

    /// Logs who holds the shards that this replica waits for, whenever a holder is new.
    fn tell_whom_it_waits_for(&self, view: &ClusterView, before: &mut BTreeSet<Identity>) {
        let me = self.elections.identity();
        let others =
            view.holders.values().flatten().filter(|holder| *holder != me && holder.as_str() != NOBODY);
        let holders: BTreeSet<Identity> = others.cloned().collect();
        if !holders.is_subset(before) {
            let named: Vec<_> = holders.iter().map(Identity::as_str).collect();
            tracing::info!(
                "shards are held by {}; each is taken when it is handed over or released, or has not been renewed for as long as its \
                 Lease says (LeaseDuration here: {} s)",
                named.join(", "),
                self.elections.options().timings.lease_duration().as_secs()
            );
        }
        *before = holders;
    }

    async fn synced(&self, leases: &mut lease_core::LeaseView, timeout: Duration) -> bool {
        tokio::select! {
            () = leases.synced() => true,
            () = self.setup.clock.sleep(timeout) => false,
        }
    }

    /// A replica that must refuse contends for nothing: as a member it would be given shards, and as coordinator it would commit a layout
    /// that the others must not follow. One that is asked to replace the layout contends for coordination.
    ///
    /// A replica that is unable to work stays a member, keeps its shards until the plan gives them to others, and takes none.
    fn contend(&self, verdict: &Verdict, known: Option<&Generation>, leaves_to_others: bool) {
        let refused = matches!(verdict, Verdict::Refuse(_));
        let differs = refused || matches!(verdict, Verdict::Replace(_));
        self.coordinator.contend(!refused && !leaves_to_others);
        self.member.contend(!differs);
        if refused || leaves_to_others {
            self.coordinator.step_down(None);
        }
        if differs {
            self.member.step_down(None);
        }
        let disposition = match verdict {
            Verdict::Work | Verdict::Wait => Disposition::Keep,
            Verdict::Yield(_) => Disposition::Abandon,
            Verdict::Refuse(_) | Verdict::Replace(_) => Disposition::Drain,
        };
        let contending = *verdict == Verdict::Work && !leaves_to_others;
        self.shard_candidates.contend(contending, known, disposition);
    }
}

/// A member's silence is announced by no change of a Lease.
fn until_next_look(view: &ClusterView, now: Monotonic, timings: Timings) -> Duration {
    let expiry = view.membership.next_expiry(now).map(|expiry| expiry.duration_since(now));
    expiry.map_or(timings.hurried_retry(), |expiry| expiry.min(timings.hurried_retry()))
}

async fn lease_history(setup: &Setup) -> LeaseHistory {
    let elections = &setup.options.elections;
    let api = Api::namespaced(setup.clients.ungated(), &elections.namespace);
    let duration = elections.timings.lease_duration();
    LeaseHistory::from_list(api, setup.names.clone(), setup.clock.clone(), duration).await
}
