//! The run: set up everything, one drill after the other, judge each, tear everything down.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use overlap_checker::records::Stamp;
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster::Cluster;
use crate::collected::Collected;
use crate::drills::{ALL, Drill, SERVED};
use crate::harness::{CONVERGED_WITHIN, Harness, OPERATOR_NAMESPACE};
use crate::images::Images;
use crate::judge::Story;
use crate::options::Options;
use crate::report::{DrillResult, DrillStatus, Report};
use crate::resources::{NAMESPACE, Resources, empty, keep_editing, served};
use crate::screen::Screen;
use crate::teardown;
use crate::traffic::{Answers, Traffic};
use crate::usage::Meter;

/// Resources without servers that are there all the time, and changed all the time.
const BASE: u32 = 24;
/// Between two changes.
const EDIT_EVERY: Duration = Duration::from_millis(150);
/// For one drill, whatever happens in it.
const LONGEST_DRILL: Duration = Duration::from_secs(1800);

/// Runs the chosen drills. What was started has ended when this returns, unless it was to be kept.
pub(crate) async fn run(options: Options) -> Result<()> {
    let chosen: Vec<&Drill> = ALL.iter().filter(|drill| options.chooses(drill.name)).collect();
    if chosen.is_empty() {
        bail!("--filter {} matches no drill; --list shows all of them", options.filter.join(","));
    }
    let screen = Screen::new();
    let dir = &options.output;
    if dir.exists() {
        std::fs::remove_dir_all(dir).with_context(|| format!("{} could not be emptied", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("{} could not be made", dir.display()))?;
    let dir = dir.canonicalize()?;
    let result = tokio::select! {
        result = drills(&options, &chosen, &dir, screen) => result,
        signal = interruption() => Err(anyhow!("ended by {}", signal?)),
    };
    if options.keep {
        screen.say(&format!("The cluster stays: export KUBECONFIG={}", dir.join("kubeconfig").display()));
    } else {
        screen.say("Tearing down …");
        teardown::everything(&options, &dir).await?;
    }
    result
}

async fn drills(options: &Options, chosen: &[&Drill], dir: &Path, screen: Screen) -> Result<()> {
    let cluster = Cluster::start(options, dir, screen).await?;
    screen.say(&format!("Kubernetes {}; KUBECONFIG={}", cluster.version, cluster.kubeconfig.display()));
    let mut harness = set_up(options, cluster, dir, screen).await?;
    let mut report = Report::new(&harness);
    if let Err(error) = install(&mut harness).await {
        gather_rest(&mut harness).await;
        return Err(error);
    }
    for drill in chosen {
        let result = run_drill(&mut harness, drill).await;
        result.print(screen);
        let failed = result.outcome == DrillStatus::Failed;
        report.drills.push(result);
        // Written after each drill: a run that is ended early has left what it saw.
        report.write(&harness)?;
        if failed && let Err(error) = harness.restore().await {
            report.aborted = Some(format!("the cluster could not be put back into order: {error:#}"));
            break;
        }
    }
    gather_rest(&mut harness).await;
    report.write(&harness)?;
    report.print(screen);
    report.into_result()
}

/// Ctrl-C or SIGTERM.
async fn interruption() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be received")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C cannot be received")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "Ctrl-C",
    })
}

/// Prepares everything that the installation needs.
async fn set_up(options: &Options, cluster: Cluster, dir: &Path, screen: Screen) -> Result<Harness> {
    let collected = Collected::start(&cluster, dir).await?;
    let images = Images::prepare(options, &cluster, dir, screen).await?;
    let namespaces = Api::<Namespace>::all(cluster.client.clone());
    for name in [NAMESPACE, OPERATOR_NAMESPACE] {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        namespaces.create(&PostParams::default(), &namespace).await.with_context(|| {
            format!("namespace {name} could not be made; if an earlier run has left it, delete it")
        })?;
    }
    Ok(Harness {
        release: Harness::usual_release(options, &images),
        resources: Resources::new(&cluster.client),
        client: cluster.client.clone(),
        story: Story::default(),
        transit: Duration::ZERO,
        servers_taken_down: Vec::new(),
        notes: Vec::new(),
        options: options.clone(),
        cluster,
        images,
        collected,
        screen,
        dir: dir.to_owned(),
    })
}

async fn install(harness: &mut Harness) -> Result<()> {
    harness.screen.say("Installing the chart …");
    harness.begin_epoch()?;
    harness.apply().await?;
    let image = harness.images.memcached.clone();
    harness.resources.create((0..BASE).map(|number| (format!("base-{number}"), empty()))).await?;
    harness.resources.create(SERVED.map(|name| (name.to_owned(), served(2, &image)))).await?;
    harness.screen.say("Waiting for the first shards and servers …");
    harness.settle().await?;
    let count = harness.resources.converged(CONVERGED_WITHIN).await?;
    harness.screen.say(&format!("{count} Memcached are as asked for."));
    Ok(())
}

/// Plays one drill, with clients and users at work all the time, and judges it.
async fn run_drill(harness: &mut Harness, drill: &Drill) -> DrillResult {
    let mut result = DrillResult::new(drill);
    if drill.needs_nodes && harness.cluster.nodes.is_empty() {
        result.outcome =
            DrillStatus::Skipped("it needs the nodes, which only a kind cluster gives".to_owned());
        return result;
    }
    harness.screen.say(&format!("{}: {} …", drill.name, drill.about));
    harness.notes.clear();
    harness.servers_taken_down.clear();
    let started = Instant::now();
    let nodes = harness.cluster.ready_nodes().await.unwrap_or_default();
    let meter = Meter::start(harness.client.clone(), nodes);
    let acted = tokio::time::timeout(LONGEST_DRILL, act(harness, drill, &mut result)).await;
    let acted = acted.unwrap_or_else(|_| Err(anyhow::anyhow!("it has not ended within {LONGEST_DRILL:?}")));
    if let Err(error) = acted {
        result.failures.push(format!("{error:#}."));
    }
    if let Err(error) = judge(harness, &mut result).await {
        result.failures.push(format!("It could not be judged: {error:#}."));
    }
    result.usage = meter.take();
    if let Some(usage) = result.usage.describe() {
        harness.note(usage);
    }
    result.ended = Timestamp::now();
    result.took = started.elapsed();
    result.notes = std::mem::take(&mut harness.notes);
    result.outcome = if result.failures.is_empty() { DrillStatus::Passed } else { DrillStatus::Failed };
    result
}

async fn act(harness: &mut Harness, drill: &Drill, result: &mut DrillResult) -> Result<()> {
    let servers: Vec<_> =
        SERVED.iter().flat_map(|name| (0..2).map(move |number| format!("{name}-{number}.{name}"))).collect();
    let traffic = Traffic::start(&harness.client, &harness.images.client, drill.name, &servers).await?;
    result.since = Some(Stamp::now()?);
    let editing = tokio::spawn(keep_editing(harness.resources.clone(), BASE, EDIT_EVERY));
    let drilled = (drill.run)(harness).await;
    editing.abort();
    // Joined, so that no edit comes after the look at what has converged.
    let _ = editing.await;
    let settled = match &drilled {
        Ok(()) => harness.settle().await,
        Err(_) => Ok(()),
    };
    let converged = match &drilled {
        Ok(()) => harness.resources.converged(CONVERGED_WITHIN).await.map(|_| ()),
        Err(_) => Ok(()),
    };
    let answers = traffic.finish().await?;
    result.failures.extend(unavailable(&answers, &harness.servers_taken_down));
    result.answers = answers;
    drilled?;
    settled.context("afterwards the shards did not settle")?;
    converged.context("afterwards not everything converged")
}

/// Errors of servers that the drill had not taken away itself, one sentence for each server.
fn unavailable(answers: &Answers, doomed: &[String]) -> Vec<String> {
    let pod = |target: &str| target.split('.').next().unwrap_or_default().to_owned();
    let innocent = answers.errors.iter().filter(|error| !doomed.contains(&pod(&error.target)));
    let targets: BTreeSet<_> = innocent.clone().map(|error| &error.target).collect();
    let mut failures: Vec<_> = targets
        .into_iter()
        .map(|target| {
            let mut errors = innocent.clone().filter(|error| error.target == *target);
            let first =
                errors.next().map(|error| format!("{}: {}", error.step, error.text)).unwrap_or_default();
            format!("A client saw {} errors of {target}, the first: {first}.", errors.count() + 1)
        })
        .collect();
    if answers.gets == 0 {
        failures.push("The memcached client got no answer at all.".to_owned());
    }
    failures
}

async fn judge(harness: &mut Harness, result: &mut DrillResult) -> Result<()> {
    let until = Stamp::now()?;
    harness.collected.gather(&harness.cluster).await?;
    let since = result.since.clone().unwrap_or_else(|| until.clone());
    let judgement =
        harness.story.judge(&harness.collected, harness.resources.history(), harness.transit, &since, &until);
    for measured in &judgement.measured {
        harness.note(measured.describe());
    }
    for write in judgement.late {
        harness.note(format!("Outside of what is promised, as the network held it up for too long: {write}"));
    }
    result.until = Some(until);
    result.failures.extend(judgement.failures);
    result.measured = judgement.measured;
    result.handovers = judgement.handovers;
    result.gaps = judgement.gaps;
    result.verdict = Some(judgement.verdict);
    result.gathered = harness.collected.gathered();
    Ok(())
}

/// Events, and logs to the last line: for whoever investigates a failure.
async fn gather_rest(harness: &mut Harness) {
    let events =
        harness.cluster.kubectl(["get", "events", "--all-namespaces", "--output", "json"]).run().await;
    let saved = match events {
        Ok(events) => std::fs::write(harness.dir.join("events.json"), events).map_err(Into::into),
        Err(error) => Err(error),
    };
    if let Err(error) = saved {
        harness.screen.say(&format!("The events could not be gathered: {error:#}"));
    }
    if let Err(error) = harness.collected.gather(&harness.cluster).await {
        harness.screen.say(&format!("The last logs could not be gathered: {error:#}"));
    }
}
