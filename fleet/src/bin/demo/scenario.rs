//! What happens in the demo, in order.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube_testkit::{TestUser, WorkDir, WorkloadStandIn};
use overlap_checker::Fault;
use overlap_checker::records::{Replica, Stamp};

use super::cluster_kind::ClusterKind;
use super::fleet::Fleet;
use super::installation::Installation;
use super::judgement::{Measured, Started, Summary, WAITING_BOUND, verdict};
use super::leases::held_by_pod;
use super::records::Records;
use super::resources::{self, Watched};
use super::screen::Screen;
use super::stage::Stage;
use super::takeover::Loss;
use super::{DemoOptions, Interrupted, unless_interrupted};

/// How long shards may take to spread over new replicas. Nothing but a remark hangs on it.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// How long to go on watching a takeover that is already late, to report how late.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays it, and fails unless everything was as promised. Whatever was started has ended when this returns.
pub(super) async fn play(options: &DemoOptions) -> Result<()> {
    let started = Instant::now();
    let mut stage = unless_interrupted(raise(options, started)).await?;
    let result = unless_interrupted(act(&mut stage, options)).await.and_then(|(summary, terminated)| {
        summary.print();
        if let Some(path) = &options.json {
            summary.write(path)?;
        }
        Ok((summary.into_result(), terminated))
    });
    let result = match result {
        Ok((result, terminated)) => {
            what_next(options);
            if options.keep {
                // To be interrupted is how this ends.
                let _ = unless_interrupted(linger(&mut stage, terminated)).await;
            }
            result
        }
        Err(error) => Err(error),
    };
    if result.as_ref().is_err_and(|error| !error.is::<Interrupted>()) {
        keep_files(&mut stage);
    }
    strike(stage, options).await?;
    result
}

/// Starts everything.
async fn raise(options: &DemoOptions, started: Instant) -> Result<Stage> {
    let operator =
        options.operator.as_ref().context("which program is the operator? `cargo xtask demo` builds it")?;
    let mut screen = Screen::new();
    let kind = options.cluster;
    screen.say(&format!("API server: {}. --cluster chooses another.", kind.describe()));
    let cluster = kind.start().await?;
    let ready = started.elapsed();
    let client = cluster.admin();
    let installation = Installation::install(client.clone(), kind).await?;
    let kubeconfig = cluster.kubeconfig(&TestUser::admin())?;
    screen.say(&format!(
        "It was ready at {} after {ready:.1?}. Look at it from another terminal:\n\n    export KUBECONFIG={}\n    \
         kubectl get leases,memcacheds -n {}\n",
        cluster.server(),
        kubeconfig.display(),
        installation.namespace
    ));
    let stand_in = (!kind.is_borrowed()).then(|| {
        screen.say("No controller-manager runs here: a stand-in plays the readiness of StatefulSets.");
        WorkloadStandIn::start(client.clone(), Duration::ZERO)
    });
    let dir = WorkDir::create().context("no work directory could be made")?;
    screen.say(&format!("Starting {} replicas for {} shards …", options.replicas, options.shards));
    // A copy: a build meanwhile must not change what a restart starts.
    let copy = dir.path().join("memcached-operator");
    std::fs::copy(operator, &copy).context("the operator could not be copied into the work directory")?;
    let fleet = Fleet::start(options, &copy, &cluster, &installation.namespace, &dir)?;
    let resources = Watched::start(&client, &installation.namespace);
    Ok(Stage {
        fleet,
        stand_in,
        installation,
        client,
        cluster,
        dir,
        screen,
        records: Records::default(),
        resources,
        crs: Vec::new(),
        faults: Vec::new(),
        started,
        ready,
        shards: options.shards,
    })
}

/// The play itself: what came of it, and which replica was terminated. An error means that it could not be
/// played to its end.
async fn act(stage: &mut Stage, options: &DemoOptions) -> Result<(Summary, usize)> {
    let mut failures = Vec::new();
    stage.crs = resources::create(&stage.client, &stage.installation.namespace, options.resources).await?;
    let all_reconciled = |view: &super::view::View, _: &Records| view.reconciled == view.resources;
    stage.await_view("every resource to be reconciled", WAITING_BOUND, all_reconciled).await?;
    let started = Started { ready: stage.ready, all_reconciled: stage.started.elapsed() };
    stage.screen.say(&format!(
        "All {} resources are reconciled, {:.1?} after the start.",
        options.resources, started.all_reconciled
    ));
    settle(stage, options).await?;
    stage.keep_table().await?;

    let failover = kill_busiest(stage, options).await?;
    settle(stage, options).await?;
    stage.keep_table().await?;
    let (handoff, terminated) = terminate_another(stage, options).await?;
    if let Err(error) = stage.fleet.clean_exit(terminated).await {
        failures.push(format!("{error:#}."));
    }
    if !stage.watch("every resource to be reconciled", WAITING_BOUND, all_reconciled).await? {
        failures.push(format!("Not every resource was reconciled again within {WAITING_BOUND:?}."));
    }
    stage.keep_table().await?;
    let reconciled = stage.look().await?.reconciled;

    let until = Stamp::now()?;
    if !options.keep {
        failures.extend(end_replicas(stage).await?);
    }
    let verdict = verdict(stage, options, until)?;
    let measured = Measured { started, failover, handoff, reconciled, failures };
    Ok((Summary::new(options, measured, verdict), terminated))
}

/// Waits until the shards are spread evenly. That they are is a preference: if not, it is said and nothing
/// more.
async fn settle(stage: &mut Stage, options: &DemoOptions) -> Result<()> {
    let running: Vec<_> =
        stage.fleet.running().into_iter().map(|index| stage.fleet.replicas[index].pod().to_owned()).collect();
    let shards = options.shards;
    let settled = |view: &super::view::View, _: &Records| view.settled(shards, &running);
    if !stage.watch("the shards to be spread evenly", SETTLED_WITHIN, settled).await? {
        stage.screen.say(&format!("The shards are not spread evenly after {SETTLED_WITHIN:?}; going on."));
    }
    Ok(())
}

/// Kills the replica with most shards, watches the takeover, and starts it again as a kubelet would.
async fn kill_busiest(stage: &mut Stage, options: &DemoOptions) -> Result<Loss> {
    let (index, victim) = busiest(stage).await?;
    let at = stage.fleet.kill(index)?;
    stage.faults.push(Fault { replica: victim.clone(), at: at.clone() });
    stage.screen.say(&format!("Killed {} (kill -9). bound: {}", victim.pod(), options.preset.formula()));
    let loss = watch_takeover(stage, options, &victim, &at).await?;
    stage.fleet.restart(index)?;
    stage.screen.say(&format!("Started {} again, as a kubelet would.", victim.pod()));
    Ok(loss)
}

/// Terminates the replica that now has most shards, with SIGTERM, and watches the handoff.
async fn terminate_another(stage: &mut Stage, options: &DemoOptions) -> Result<(Loss, usize)> {
    let (index, victim) = busiest(stage).await?;
    let at = stage.fleet.terminate(index)?;
    stage.screen.say(&format!("Terminated {} gently (SIGTERM).", victim.pod()));
    let loss = watch_takeover(stage, options, &victim, &at).await?;
    Ok((loss, index))
}

async fn watch_takeover(
    stage: &mut Stage,
    options: &DemoOptions,
    victim: &Replica,
    at: &Stamp,
) -> Result<Loss> {
    let within = options.preset.bound() + PATIENCE;
    let over = |_: &super::view::View, records: &Records| Loss::measure(&records.log, victim, at).is_over();
    stage.watch("its shards to be taken over", within, over).await?;
    let loss = Loss::measure(&stage.records.log, victim, at);
    stage.screen.say(&loss.describe(options.preset.bound()));
    Ok(loss)
}

/// The running replica that holds most shards, and its identity.
async fn busiest(stage: &mut Stage) -> Result<(usize, Replica)> {
    let view = stage.look().await?;
    let held = held_by_pod(&view.leases);
    let load = |index: &usize| held.get(stage.fleet.replicas[*index].pod()).copied().unwrap_or_default();
    // Of several equals the first, so that runs resemble each other.
    let Some(index) = stage.fleet.running().into_iter().rev().max_by_key(load) else {
        bail!("no replica runs any more");
    };
    let pod = stage.fleet.replicas[index].pod();
    let replica =
        stage.records.replica_of(pod).with_context(|| format!("{pod} has not recorded its start"))?;
    Ok((index, replica.clone()))
}

/// Terminates whatever still runs, and says which replicas did not end cleanly.
async fn end_replicas(stage: &mut Stage) -> Result<Vec<String>> {
    let running = stage.fleet.running();
    for index in &running {
        stage.fleet.terminate(*index)?;
    }
    let mut failures = Vec::new();
    for index in running {
        if let Err(error) = stage.fleet.clean_exit(index).await {
            failures.push(format!("{error:#}."));
        }
    }
    Ok(failures)
}

fn what_next(options: &DemoOptions) {
    println!("\nWhat to try next:");
    if !options.keep {
        println!("  cargo xtask demo --keep                     stays up, for kubectl");
    }
    println!("  cargo xtask demo --replicas 5 --shards 32   more of everything");
    println!("  cargo xtask demo --preset standard          the timings that client-go uses");
    if options.cluster == ClusterKind::Embedded {
        println!("  cargo xtask demo --cluster local            the same on etcd and kube-apiserver");
    }
    println!(
        "  cargo xtask demo --mutant skip-drain        a rule broken on purpose: see the checker notice"
    );
    println!("  cargo xtask test                            all tests");
}

/// Stays up until the caller is interrupted, with all replicas running.
async fn linger(stage: &mut Stage, terminated: usize) -> Result<()> {
    stage.fleet.restart(terminated)?;
    stage.screen.say("\nStaying up. Ctrl-C ends everything.");
    stage.watch("Ctrl-C", Duration::MAX, |_, _| false).await.map(|_| ())
}

/// Leaves logs, records and the audit log, which are needed to find out what happened.
fn keep_files(stage: &mut Stage) {
    stage.dir.keep();
    if let Some(audit) = stage.cluster.audit_log()
        && let Err(error) = std::fs::copy(&audit, stage.dir.path().join("audit.jsonl"))
    {
        eprintln!("the audit log could not be kept: {error}");
    }
    eprintln!("logs, records and audit log are in {}", stage.dir.path().display());
}

/// Ends everything, in order.
async fn strike(stage: Stage, options: &DemoOptions) -> Result<()> {
    let Stage { fleet, stand_in, installation, cluster, dir, .. } = stage;
    drop(fleet);
    drop(stand_in);
    if options.cluster.is_borrowed() {
        installation.remove().await?;
    }
    cluster.stop().await;
    drop(dir);
    Ok(())
}
