//! One replica under leader election: its candidates, and the loop that decides what they contend for.

mod ability;
mod assessment;
mod everywhere;
mod farewell;
mod forecast;
mod intent;
mod report;
mod seats;
pub(crate) mod unelected;

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use kube::Api;
use lease_core::{
    Candidate, CandidateOptions, Connection, Creation, Elections, Identity, InvalidOption, Term,
    identity::NOBODY,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use self::{
    ability::Ability,
    seats::{Held, Seats},
};
use crate::{
    coordinator::{Coordinator, birth::Births},
    error::RunError,
    membership::world::{SharedWorld, Verdict, World},
    observability::readiness::ReadinessSwitch,
    reconciler::Reconciler,
    routing::bucket::ShardId,
    setup::Setup,
    shard::runner,
    sharded::Sharded,
    task::NamedTask,
};

/// With many shards, some Lease is renewed all the time: news is taken in together.
const BREATH: Duration = Duration::from_millis(20);

/// The user's tasks besides reconciling.
pub(crate) struct Tasks {
    pub(crate) every_replica: Vec<NamedTask>,
    pub(crate) coordinator: Vec<NamedTask>,
}

/// Runs until `shutdown`, then drains, releases and returns.
pub(crate) async fn run<K: Sharded, R: Reconciler<K>>(
    setup: Arc<Setup<K, R>>,
    connection: Connection,
    tasks: Tasks,
    readiness: ReadinessSwitch,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    let mut background = JoinSet::new();
    let histories = watch::Sender::new(0);
    for task in tasks.every_replica {
        let task = everywhere::keep_up(setup.clone(), task, stop.clone(), histories.subscribe());
        background.spawn(task);
    }
    let mut shutdown = std::pin::pin!(shutdown);
    let elections = Elections::start(connection, setup.options.elections.clone());
    let starting = async { futures::join!(births(&setup), elections) };
    let (births, elections) = tokio::select! {
        started = starting => started,
        // Nothing is held yet, so there is nothing to drain.
        () = &mut shutdown => return Ok(()),
    };
    let verdict = watch::Sender::new(Verdict::Wait);
    let elections = elections?;
    background.spawn(backup_stamper(setup.clone(), verdict.subscribe(), elections.rewinds()));
    background.spawn(everywhere::announce_rewinds(elections.rewinds(), histories));
    let replica = Replica::new(setup, elections, Arc::new(births), tasks.coordinator, verdict, readiness)?;
    tokio::select! {
        () = shutdown => {}
        () = replica.attend() => {}
        () = replica.mind_ability() => {}
    }
    stop.cancel();
    replica.leave().await;
    background.shutdown().await;
    Ok(())
}

struct Replica<K: Sharded, R: Reconciler<K>> {
    setup: Arc<Setup<K, R>>,
    elections: Elections,
    world: SharedWorld,
    births: Arc<Births>,
    coordinator: Candidate,
    member: Candidate,
    seats: Seats,
    nudge: Arc<Notify>,
    verdict: watch::Sender<Verdict>,
    readiness: ReadinessSwitch,
    ability: Mutex<Ability>,
    /// Report what the candidates go through; end with the replica.
    watchers: JoinSet<()>,
}

impl<K: Sharded, R: Reconciler<K>> Replica<K, R> {
    fn new(
        setup: Arc<Setup<K, R>>,
        elections: Elections,
        births: Arc<Births>,
        coordinator_tasks: Vec<NamedTask>,
        verdict: watch::Sender<Verdict>,
        readiness: ReadinessSwitch,
    ) -> Result<Self, RunError> {
        let nudge = Arc::new(Notify::new());
        let mut watchers = JoinSet::new();
        let options = &setup.options.elections;
        let lease_duration = options.timings.lease_duration();
        let world = SharedWorld::new(setup.names.clone(), options.installation.clone(), lease_duration);
        let coordinator = stand_for_coordinator(Coordinator {
            setup: setup.clone(),
            elections: elections.clone(),
            world: world.clone(),
            births: births.clone(),
            tasks: coordinator_tasks,
        })?;
        watchers.spawn(report::follow(setup.clone(), None, &coordinator, nudge.clone()));
        let member = stand_for_member(&setup, &elections)?;
        watchers.spawn(report::follow(setup.clone(), None, &member, nudge.clone()));
        let mut seats = Seats::new(elections.identity().clone(), setup.clock.clone(), setup.layout.shards);
        for shard in setup.layout.shards.shards() {
            let candidate = elections.candidate(
                setup.names.shard(shard)?,
                CandidateOptions {
                    creation: Creation::Never,
                    standing: false,
                    drain_timeout: setup.options.drain_timeout,
                    // Said anew with each renewal, so that it also comes back where somebody took it off.
                    annotations: [setup.layout.mark(&setup.names)].into(),
                    ..CandidateOptions::default()
                },
                shard_work(setup.clone(), elections.clone(), shard),
            )?;
            watchers.spawn(report::follow(setup.clone(), Some(shard), &candidate, nudge.clone()));
            seats.add(shard, candidate);
        }
        let ability = Mutex::new(Ability::new(elections.options().timings.lease_duration()));
        Ok(Self {
            setup,
            elections,
            world,
            births,
            coordinator,
            member,
            seats,
            nudge,
            verdict,
            readiness,
            ability,
            watchers,
        })
    }

    /// Follows what the Leases say, for as long as it is polled.
    async fn attend(&self) {
        let mut leases = self.elections.leases();
        let timings = self.elections.options().timings;
        // Until the Leases are known, nobody can say whether this replica may contend for anything.
        while !self.synced(&mut leases, timings.retry_period()).await {
            self.assess(None, false);
        }
        let mut has_worked = false;
        let mut waited_for = BTreeSet::new();
        loop {
            let now = self.setup.clock.now().monotonic;
            let snapshot = leases.snapshot();
            report::transitions(&self.setup, &snapshot);
            let rewinds = self.elections.health().rewinds;
            self.setup.metrics.rewinds(rewinds);
            if rewinds > 0 {
                self.births.forget();
            }
            self.births.saw(snapshot.iter().map(AsRef::as_ref));
            let world = self.world.observe(now, &snapshot);
            self.setup.metrics.foreign_installation(world.foreign().is_some());
            self.setup.metrics.predecessor(world.yields_to().is_some());
            let verdict = world.verdict(&self.setup.layout);
            let leaves_to_others = self.ability().unable().is_some()
                && world.membership.another_is_able(self.elections.identity());
            self.contend(&verdict, leaves_to_others);
            has_worked |= verdict == Verdict::Work;
            if let Verdict::Yield(sentence) = &verdict
                && *self.verdict.borrow() != verdict
                && !has_worked
            {
                tracing::warn!("waiting: {sentence}");
            }
            self.assess(Some(&verdict), has_worked);
            self.verdict.send_replace(verdict.clone());
            if verdict == Verdict::Work {
                let settled = world.membership.stable_for(now) >= self.setup.options.membership_settle();
                let current = settled && self.elections.health().watch_is_live;
                self.seats.follow(&world, current, timings);
                self.tell_whom_it_waits_for(&world, &mut waited_for);
            }
            tokio::select! {
                () = leases.changed() => self.setup.clock.sleep(BREATH).await,
                () = self.nudge.notified() => {}
                () = self.setup.clock.sleep(timings.hurried_retry()) => {}
            }
        }
    }

    /// In one sentence for all shards, who holds them, each time that somebody else does.
    fn tell_whom_it_waits_for(&self, world: &World, before: &mut BTreeSet<Identity>) {
        let me = self.elections.identity();
        let others =
            world.holders.values().flatten().filter(|holder| *holder != me && holder.as_str() != NOBODY);
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

    async fn synced(&self, leases: &mut lease_core::LeaseView, patience: Duration) -> bool {
        tokio::select! {
            () = leases.synced() => true,
            () = self.setup.clock.sleep(patience) => false,
        }
    }

    /// A replica that is refused contends for nothing: as a member it would be planned for, as coordinator it would commit
    /// what the others must not follow.
    ///
    /// One that is not able to work stays a member, keeps what it holds until the plan gives it to others, and takes nothing.
    fn contend(&self, verdict: &Verdict, leaves_to_others: bool) {
        let refused = matches!(verdict, Verdict::Refuse(_));
        self.coordinator.stand(!refused && !leaves_to_others);
        self.member.stand(!refused);
        if refused || leaves_to_others {
            self.coordinator.step_down(None);
        }
        if refused {
            self.member.step_down(None);
        }
        let held = match verdict {
            Verdict::Work | Verdict::Wait => Held::Keep,
            Verdict::Yield(_) => Held::Abandon,
            Verdict::Refuse(_) => Held::Drain,
        };
        self.seats.stand(*verdict == Verdict::Work && !leaves_to_others, held);
    }
}

async fn births<K: Sharded, R: Reconciler<K>>(setup: &Setup<K, R>) -> Births {
    let elections = &setup.options.elections;
    let api = Api::namespaced(setup.clients.ungated(), &elections.namespace);
    let duration = elections.timings.lease_duration();
    Births::witness(api, setup.names.clone(), setup.clock.clone(), duration).await
}

/// Every replica watches for resources that stay without a bucket, in case nobody coordinates for long; but only while the
/// committed layout is its own, since the key label is part of it.
async fn backup_stamper<K: Sharded, R: Reconciler<K>>(
    setup: Arc<Setup<K, R>>,
    mut verdict: watch::Receiver<Verdict>,
    mut rewinds: watch::Receiver<u64>,
) {
    let stamper = setup.stamper(setup.stamper_clients.ungated(), setup.options.stamp_patience());
    let mut otherwise = verdict.clone();
    while verdict.wait_for(|verdict| *verdict == Verdict::Work).await.is_ok() {
        tokio::select! {
            () = stamper.run::<K>(&setup.options.watch_namespaces) => {}
            _ = otherwise.wait_for(|verdict| *verdict != Verdict::Work) => {}
            // Its watches go on from versions that other states have now.
            Ok(()) = rewinds.changed() => {}
        }
    }
}

fn stand_for_coordinator<K: Sharded, R: Reconciler<K>>(
    coordinator: Coordinator<K, R>,
) -> Result<Candidate, InvalidOption> {
    let (setup, elections) = (coordinator.setup.clone(), coordinator.elections.clone());
    let coordinator = Arc::new(coordinator);
    let work = move |term: Term| coordinator.clone().run(term);
    let options = CandidateOptions {
        creation: Creation::AfterWaiting,
        standing: false,
        drain_timeout: setup.options.drain_timeout,
        annotations: [(setup.names.coordinator_annotation(), elections.identity().to_string())].into(),
        ..CandidateOptions::default()
    };
    elections.candidate(setup.names.coordinator(), options, work)
}

fn stand_for_member<K: Sharded, R: Reconciler<K>>(
    setup: &Setup<K, R>,
    elections: &Elections,
) -> Result<Candidate, RunError> {
    let options = CandidateOptions {
        creation: Creation::AtOnce,
        standing: false,
        announce: false,
        delete_on_release: true,
        owner: setup.options.member_owner(),
        ..CandidateOptions::default()
    };
    let name = setup.names.member(elections.identity())?;
    // To be a member is only to hold the Lease.
    Ok(elections.candidate(name, options, |term: Term| async move { term.draining().await })?)
}

fn shard_work<K: Sharded, R: Reconciler<K>>(
    setup: Arc<Setup<K, R>>,
    elections: Elections,
    shard: ShardId,
) -> impl lease_core::Work {
    move |term: Term| {
        let (setup, elections) = (setup.clone(), elections.clone());
        async move {
            let confirmed = intent::confirm_layout(setup.clone(), elections);
            Box::pin(runner::run(setup, shard, term, confirmed)).await;
        }
    }
}
