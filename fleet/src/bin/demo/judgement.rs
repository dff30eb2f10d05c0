//! The end of the demo: the verdict over everything that was recorded, and the result for people.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use overlap_checker::records::{RecordLog, Shard, Stamp};
use overlap_checker::{AuditLog, Observations, Rules, Verdict, judge};
use serde::Serialize;

use super::DemoOptions;
use super::harness::Harness;
use super::takeover::{Loss, millis};
use ::fleet::write_rules;

/// The longest that a new resource may be unstamped or un-reconciled here, where all of them are created at
/// once.
pub(super) const WAITING_BOUND: Duration = Duration::from_secs(120);

/// What came of a run.
#[derive(Serialize)]
pub(super) struct Summary {
    pub(super) passed: bool,
    /// Why not, one sentence each.
    pub(super) failures: Vec<String>,
    #[serde(flatten)]
    settings: Settings,
    /// Only of a run that came to its end.
    #[serde(flatten)]
    results: Option<Results>,
}

/// What was asked for.
#[derive(Serialize)]
struct Settings {
    cluster: &'static str,
    preset: String,
    replicas: u32,
    shards: u32,
    resources: u32,
    bound_ms: f64,
    bound_formula: String,
}

/// What was measured and judged.
#[derive(Serialize)]
struct Results {
    /// From the start, with everything built, until the API server was ready.
    ready_ms: f64,
    /// From the start until every resource had been reconciled.
    all_reconciled_ms: f64,
    reconciled: usize,
    overlaps: usize,
    /// From the kill to the next valid holder, for each shard of the killed replica.
    failover_ms: Vec<f64>,
    /// From the kill to the first reconcile of the last affected resource, for each of these shards.
    failover_reconciled_ms: Vec<f64>,
    /// From SIGTERM to the next valid holder, for each shard of the terminated replica.
    handoff_ms: Vec<f64>,
    /// From SIGTERM to the first reconcile of the last affected resource, for each of these shards.
    handoff_reconciled_ms: Vec<f64>,
    /// What the checker found, in full.
    verdict: Verdict,
}

/// How long it took to get going, from the moment when everything was built.
pub(super) struct Started {
    pub(super) ready: Duration,
    pub(super) all_reconciled: Duration,
}

/// What was measured while it ran.
pub(super) struct Measured {
    pub(super) started: Started,
    pub(super) failover: Loss,
    pub(super) handoff: Loss,
    pub(super) reconciled: usize,
    /// Whatever else went wrong, one sentence each.
    pub(super) failures: Vec<String>,
}

/// Judges the records of all replicas and the API server's audit log.
pub(super) fn verdict(harness: &Harness, options: &DemoOptions, until: Stamp) -> Result<Verdict> {
    // The audit log first: with replicas still running, the records then explain every write that was read.
    let audit = harness.cluster.audit_log().map(|path| AuditLog::read_file(&path)).transpose();
    let audit = audit.context("the audit log could not be read")?;
    let mut records = RecordLog::default();
    for path in harness.fleet.records() {
        records.read_file(&path).with_context(|| format!("{} could not be read", path.display()))?;
    }
    let observations = Observations {
        records,
        audit,
        faults: harness.faults.clone(),
        ended: Vec::new(),
        crs: harness.crs.clone(),
        shards: (0..harness.shards).map(Shard).collect(),
        lifetimes: BTreeMap::new(),
        since: None,
        until: Some(until),
    };
    let rules = Rules {
        writes: write_rules(options.replicas),
        transit: options.preset.transit(),
        unowned_bound: Some(options.preset.bound()),
        waiting_bound: Some(WAITING_BOUND),
        ..Rules::default()
    };
    Ok(judge(&observations, &rules))
}

impl Summary {
    pub(super) fn new(options: &DemoOptions, measured: Measured, verdict: Verdict) -> Self {
        let bound = options.preset.bound();
        let Measured { started, failover, handoff, reconciled, mut failures } = measured;
        failures.extend(failover.failures(bound));
        failures.extend(handoff.failures(bound));
        if reconciled < options.resources as usize {
            failures.push(format!("Only {reconciled} of {} resources were reconciled.", options.resources));
        }
        if !verdict.passed() {
            failures.push("The checker did not pass the run; see the verdict.".to_owned());
        }
        let results = Results {
            ready_ms: millis(started.ready),
            all_reconciled_ms: millis(started.all_reconciled),
            reconciled,
            overlaps: verdict.overlaps(),
            failover_ms: failover.owned_ms(),
            failover_reconciled_ms: failover.reconciled_ms(),
            handoff_ms: handoff.owned_ms(),
            handoff_reconciled_ms: handoff.reconciled_ms(),
            verdict,
        };
        Self {
            passed: failures.is_empty(),
            failures,
            settings: Settings::new(options),
            results: Some(results),
        }
    }

    /// Of a run that did not come to its end, and why not.
    pub(super) fn unfinished(options: &DemoOptions, why: String) -> Self {
        Self { passed: false, failures: vec![why], settings: Settings::new(options), results: None }
    }

    /// Whether the run came to its end.
    pub(super) fn is_finished(&self) -> bool {
        self.results.is_some()
    }

    /// The result for people.
    pub(super) fn print(&self) {
        if let Some(results) = &self.results {
            results.print(&self.settings);
        }
        for failure in &self.failures {
            println!("FAILED: {failure}");
        }
        if self.passed {
            println!(
                "PASSED: every resource had one owner at a time, and every shard an owner within the bound."
            );
        }
    }

    /// An error unless everything was as promised.
    pub(super) fn result(&self) -> Result<()> {
        match self.failures.len() {
            0 => Ok(()),
            1 => bail!("the demo failed: {}", self.failures[0]),
            more => bail!("the demo failed for {more} reasons, the first being: {}", self.failures[0]),
        }
    }
}

impl Settings {
    fn new(options: &DemoOptions) -> Self {
        Self {
            cluster: options.cluster.name(),
            preset: options.preset.name().to_owned(),
            replicas: options.replicas,
            shards: options.shards,
            resources: options.resources,
            bound_ms: millis(options.preset.bound()),
            bound_formula: options.preset.formula(),
        }
    }
}

impl Results {
    fn print(&self, settings: &Settings) {
        let list = |times: &[f64]| {
            let times: Vec<_> = times.iter().map(|time| format!("{time:.0}")).collect();
            if times.is_empty() { "-".to_owned() } else { times.join(", ") }
        };
        println!("\nVerdict of the overlap checker (records of all replicas, audit log of the API server):");
        print!("{}", self.verdict);
        println!(
            "\n{} of {} resources reconciled, {} overlaps",
            self.reconciled, settings.resources, self.overlaps
        );
        println!("bound: {}", settings.bound_formula);
        println!("killed:     new owners after {} ms", list(&self.failover_ms));
        println!("            all resources reconciled after {} ms", list(&self.failover_reconciled_ms));
        println!("terminated: new owners after {} ms", list(&self.handoff_ms));
        println!("            all resources reconciled after {} ms", list(&self.handoff_reconciled_ms));
    }
}
