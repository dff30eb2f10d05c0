//! What happens in the demo, in order.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use kube_testkit::{TestUser, WorkDir, WorkloadStandIn};
use overlap_checker::Fault;
use overlap_checker::records::{Replica, Stamp};

use super::cluster_kind::ClusterKind;
use super::fleet::Fleet;
use super::harness::Harness;
use super::installation::Installation;
use super::json_file::JsonFile;
use super::judgement::{Measured, Started, Summary, WAITING_BOUND, verdict};
use super::records::Records;
use super::resources::{self, Watched};
use super::screen::Screen;
use super::takeover::Loss;
use super::{DemoOptions, Interrupted, unless_interrupted};
use ::fleet::held_by_pod;

/// How long shards may take to spread over new replicas. Nothing but a remark hangs on it.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// How long to go on watching a takeover that is already late, to report how late.
const LONGEST_WATCH: Duration = Duration::from_secs(60);

/// Runs it, and fails unless everything was as promised. Whatever was started has ended when this returns.
pub(super) async fn run_scenario(options: &DemoOptions) -> Result<()> {
    let mut json = JsonFile::create(options)?;
    let result = play(options, &mut json).await;
    if let Err(error) = &result
        && let Err(unwritten) = json.fail(options, error)
    {
        eprintln!("error: {unwritten:#}");
    }
    result
}

async fn play(options: &DemoOptions, json: &mut JsonFile) -> Result<()> {
    let started = Instant::now();
    let mut harness = unless_interrupted(start(options, started)).await?;
    let result =
        unless_interrupted(perform(&mut harness, options)).await.and_then(|(summary, terminated)| {
            summary.print();
            let result = summary.result();
            json.finish(summary)?;
            Ok((result, terminated))
        });
    let result = match result {
        Ok((result, terminated)) => {
            what_next(options);
            if options.keep {
                // To be interrupted is how this ends.
                let _ = unless_interrupted(linger(&mut harness, terminated)).await;
            }
            result
        }
        Err(error) => Err(error),
    };
    if result.as_ref().is_err_and(|error| !error.is::<Interrupted>()) {
        keep_files(&mut harness);
    }
    stop(harness, options).await?;
    result
}

/// Starts everything.
async fn start(options: &DemoOptions, started: Instant) -> Result<Harness> {
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
    Ok(Harness {
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

/// Runs the scenario: what came of it, and which replica was terminated. An error means that it could not be
/// run to its end.
async fn perform(harness: &mut Harness, options: &DemoOptions) -> Result<(Summary, usize)> {
    let mut failures = Vec::new();
    harness.crs =
        resources::create(&harness.client, &harness.installation.namespace, options.resources).await?;
    let all_reconciled = |view: &super::view::View, _: &Records| view.reconciled == view.resources;
    harness.await_view("every resource to be reconciled", WAITING_BOUND, all_reconciled).await?;
    let started = Started { ready: harness.ready, all_reconciled: harness.started.elapsed() };
    harness.screen.say(&format!(
        "All {} resources are reconciled, {:.1?} after the start.",
        options.resources, started.all_reconciled
    ));
    settle(harness, options).await?;
    harness.keep_table().await?;

    let failover = kill_busiest(harness, options).await?;
    settle(harness, options).await?;
    harness.keep_table().await?;
    let (handoff, terminated) = terminate_another(harness, options).await?;
    if let Err(error) = harness.fleet.clean_exit(terminated).await {
        failures.push(format!("{error:#}."));
    }
    if !harness.watch("every resource to be reconciled", WAITING_BOUND, all_reconciled).await? {
        failures.push(format!("Not every resource was reconciled again within {WAITING_BOUND:?}."));
    }
    harness.keep_table().await?;
    let reconciled = harness.look().await?.reconciled;

    let until = Stamp::now()?;
    if !options.keep {
        failures.extend(end_replicas(harness).await?);
    }
    let verdict = verdict(harness, options, until)?;
    let measured = Measured { started, failover, handoff, reconciled, failures };
    Ok((Summary::new(options, measured, verdict), terminated))
}

/// Waits until the shards are spread evenly. That they are is a preference: if not, it is said and nothing
/// more.
async fn settle(harness: &mut Harness, options: &DemoOptions) -> Result<()> {
    let running: Vec<_> = harness
        .fleet
        .running()
        .into_iter()
        .map(|index| harness.fleet.replicas[index].pod().to_owned())
        .collect();
    let shards = options.shards;
    let settled = |view: &super::view::View, _: &Records| view.settled(shards, &running);
    if !harness.watch("the shards to be spread evenly", SETTLED_WITHIN, settled).await? {
        harness.screen.say(&format!("The shards are not spread evenly after {SETTLED_WITHIN:?}; going on."));
    }
    Ok(())
}

/// Kills the replica with most shards, watches the takeover, and starts it again as a kubelet would.
async fn kill_busiest(harness: &mut Harness, options: &DemoOptions) -> Result<Loss> {
    let (index, victim) = busiest(harness).await?;
    let at = harness.fleet.kill(index)?;
    harness.faults.push(Fault { replica: victim.clone(), at: at.clone() });
    harness.screen.say(&format!("Killed {} (kill -9). bound: {}", victim.pod(), options.preset.formula()));
    let loss = watch_takeover(harness, options, &victim, &at).await?;
    harness.fleet.restart(index)?;
    harness.screen.say(&format!("Started {} again, as a kubelet would.", victim.pod()));
    Ok(loss)
}

/// Terminates the replica that now has most shards, with SIGTERM, and watches the handoff.
async fn terminate_another(harness: &mut Harness, options: &DemoOptions) -> Result<(Loss, usize)> {
    let (index, victim) = busiest(harness).await?;
    let at = harness.fleet.terminate(index)?;
    harness.screen.say(&format!("Terminated {} gently (SIGTERM).", victim.pod()));
    let loss = watch_takeover(harness, options, &victim, &at).await?;
    Ok((loss, index))
}

async fn watch_takeover(
    harness: &mut Harness,
    options: &DemoOptions,
    victim: &Replica,
    at: &Stamp,
) -> Result<Loss> {
    let within = options.preset.bound() + LONGEST_WATCH;
    let over = |_: &super::view::View, records: &Records| Loss::measure(&records.log, victim, at).is_over();
    harness.watch("its shards to be taken over", within, over).await?;
    let loss = Loss::measure(&harness.records.log, victim, at);
    harness.screen.say(&loss.describe(options.preset.bound()));
    Ok(loss)
}

/// The running replica that holds most shards, and its identity.
async fn busiest(harness: &mut Harness) -> Result<(usize, Replica)> {
    let view = harness.look().await?;
    let held = held_by_pod(&view.leases);
    let load = |index: &usize| held.get(harness.fleet.replicas[*index].pod()).copied().unwrap_or_default();
    // Of several equals the first, so that runs resemble each other.
    let Some(index) = harness.fleet.running().into_iter().rev().max_by_key(load) else {
        bail!("no replica runs any more");
    };
    let pod = harness.fleet.replicas[index].pod();
    let replica =
        harness.records.replica_of(pod).with_context(|| format!("{pod} has not recorded its start"))?;
    Ok((index, replica.clone()))
}

/// Terminates whatever still runs, and says which replicas did not end cleanly.
async fn end_replicas(harness: &mut Harness) -> Result<Vec<String>> {
    let running = harness.fleet.running();
    for index in &running {
        harness.fleet.terminate(*index)?;
    }
    let mut failures = Vec::new();
    for index in running {
        if let Err(error) = harness.fleet.clean_exit(index).await {
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
async fn linger(harness: &mut Harness, terminated: usize) -> Result<()> {
    harness.fleet.restart(terminated)?;
    harness.screen.say("\nStaying up. Ctrl-C ends everything.");
    harness.watch("Ctrl-C", Duration::MAX, |_, _| false).await.map(|_| ())
}

/// Leaves logs, records and the audit log, which are needed to find out what happened.
fn keep_files(harness: &mut Harness) {
    harness.dir.keep();
    if let Some(audit) = harness.cluster.audit_log()
        && let Err(error) = std::fs::copy(&audit, harness.dir.path().join("audit.jsonl"))
    {
        eprintln!("the audit log could not be kept: {error}");
    }
    eprintln!("logs, records and audit log are in {}", harness.dir.path().display());
}

/// Ends everything, in order.
async fn stop(harness: Harness, options: &DemoOptions) -> Result<()> {
    let Harness { fleet, stand_in, installation, cluster, dir, .. } = harness;
    drop(fleet);
    drop(stand_in);
    if options.cluster.is_borrowed() {
        installation.remove().await?;
    }
    cluster.stop().await;
    drop(dir);
    Ok(())
}
