//! The result of the checks, for people and for machines.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::attribution::{LeftOut, Write, Writes};
use super::clock::{Clock, Interval};
use super::timeline::Timeline;
use super::{Hold, Observations, Reconcile};
use crate::records::{CrKey, Replica, Shard, Tally};

/// How many violations of one check are printed; all of them are in the JSON.
const PRINTED: usize = 10;

/// The result of all checks of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    passed: bool,
    /// All checks, with what they checked and found.
    pub checks: Vec<Check>,
    /// What the verdict is based on.
    pub coverage: Coverage,
    /// Reasons for which the records and the audit log cannot be trusted, one sentence each.
    pub data_problems: Vec<String>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// What it checks, for the table: "reconciles", "writes", ….
    pub of: &'static str,
    /// How many of these it checked.
    pub examined: u64,
    /// How many of these it could not decide, because the observation ended too early.
    pub undecided: u64,
    /// How many of these were accepted only because of the allowance for requests in transit.
    pub in_transit: u64,
    /// Why it did not run, if it did not.
    pub not_run: Option<String>,
    /// The violations that it found.
    pub violations: Vec<Violation>,
}

/// A violation of the promise.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Violation {
    /// What happened, where, which two intervals, by how much: one sentence.
    pub sentence: String,
    /// The CR concerned.
    pub cr: Option<CrKey>,
    /// The shard concerned.
    pub shard: Option<Shard>,
    /// The replicas concerned.
    pub replicas: Vec<Replica>,
    /// The earlier of the two intervals.
    pub first: Option<Interval>,
    /// The later of the two intervals.
    pub second: Option<Interval>,
    /// By how much.
    #[serde(rename = "by_ms", serialize_with = "as_millis")]
    pub by: Duration,
}

/// What a verdict is based on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Coverage {
    /// Lines that were read, and lines that could not be read.
    pub records: Tally,
    /// Processes that left records.
    pub replicas: u64,
    /// Holds of shards.
    pub holds: u64,
    /// Reconciles.
    pub reconciles: u64,
    /// Distinct CRs reconciled.
    pub crs: u64,
    /// Accepted writes that were judged.
    pub writes: u64,
    /// Those of them whose client the API server did not authenticate, so that only the User-Agent
    /// identifies it.
    pub unauthenticated: u64,
    /// Accepted writes that were excused as upkeep of buckets.
    pub upkeep: u64,
    /// Writes that were not judged.
    pub left_out: LeftOut,
    /// Lines of the audit log that could not be read.
    pub audit_spoilt: u64,
    /// How far the records' two clocks stray from each other.
    #[serde(rename = "clock_spread_ms", serialize_with = "as_millis")]
    pub clock_spread: Duration,
}

impl Check {
    /// A check that ran, with nothing looked at yet.
    pub fn new(name: &'static str, of: &'static str) -> Self {
        Self { name, of, examined: 0, undecided: 0, in_transit: 0, not_run: None, violations: Vec::new() }
    }

    /// A check that did not run.
    pub fn not_run(name: &'static str, of: &'static str, why: &str) -> Self {
        Self { not_run: Some(why.to_owned()), ..Self::new(name, of) }
    }
}

impl Coverage {
    pub(super) fn new(timeline: &Timeline, observations: &Observations, writes: Option<&Writes>) -> Self {
        let crs: std::collections::BTreeSet<_> = timeline.reconciles.iter().map(|r| &r.cr).collect();
        let count = |matches: fn(&&Write) -> bool| {
            writes.map_or(0, |writes| writes.accepted.iter().filter(matches).count())
        };
        let upkeep = count(|write| write.upkeep);
        let unauthenticated = count(|write| !write.upkeep && write.event.is_unauthenticated());
        Self {
            records: observations.records.tally.clone(),
            replicas: timeline.replicas.len() as u64,
            holds: timeline.holds.len() as u64,
            reconciles: timeline.reconciles.len() as u64,
            crs: crs.len() as u64,
            writes: writes.map_or(0, |w| w.accepted.len() - upkeep) as u64,
            unauthenticated: unauthenticated as u64,
            upkeep: upkeep as u64,
            left_out: writes.map(|w| w.left_out.clone()).unwrap_or_default(),
            audit_spoilt: observations.audit.as_ref().map_or(0, |log| log.malformed),
            clock_spread: timeline.clock.spread(),
        }
    }
}

impl Verdict {
    pub(super) fn new(checks: Vec<Check>, coverage: Coverage, data_problems: Vec<String>) -> Self {
        let passed = data_problems.is_empty() && checks.iter().all(|check| check.violations.is_empty());
        Self { passed, checks, coverage, data_problems }
    }

    /// There were records, they can be trusted, and they show no violation.
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// The violations of all checks.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.checks.iter().flat_map(|check| &check.violations)
    }

    /// The violations of one check.
    ///
    /// # Panics
    /// There is no check of that name.
    pub fn of(&self, name: &str) -> &[Violation] {
        let check = self.checks.iter().find(|check| check.name == name);
        &check.unwrap_or_else(|| panic!("there is no check named {name:?}")).violations
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            check.fmt(f)?;
        }
        for problem in self.data_problems.iter().take(PRINTED) {
            writeln!(f, "  problem: {problem}")?;
        }
        write!(f, "{}", self.coverage)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.not_run {
            return writeln!(f, "  {:<14} not run: {why}", self.name);
        }
        let found = match self.violations.len() {
            0 => "ok".to_owned(),
            n => format!("{n} VIOLATIONS"),
        };
        write!(f, "  {:<14} {found} ({} {}", self.name, self.examined, self.of)?;
        if self.undecided > 0 {
            write!(f, ", {} undecided at the end", self.undecided)?;
        }
        if self.in_transit > 0 {
            write!(f, ", {} in transit when validity ended", self.in_transit)?;
        }
        writeln!(f, ")")?;
        for violation in self.violations.iter().take(PRINTED) {
            writeln!(f, "    - {}", violation.sentence)?;
        }
        match self.violations.len().checked_sub(PRINTED) {
            None | Some(0) => Ok(()),
            Some(more) => writeln!(f, "    - … and {more} more"),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  observations: {} records of {} processes: {} holds, {} reconciles of {} CRs; {} accepted writes judged, {} of \
             upkeep excused, {} refused by the API server",
            self.records.lines,
            self.replicas,
            self.holds,
            self.reconciles,
            self.crs,
            self.writes,
            self.upkeep,
            self.left_out.refused
        )?;
        if self.left_out.tasks > 0 {
            writeln!(
                f,
                "  observations: {} accepted writes of tasks beside the reconciles are not judged",
                self.left_out.tasks
            )?;
        }
        if self.unauthenticated > 0 {
            writeln!(
                f,
                "  observations: the API server did not authenticate the clients of {} of these writes: whose they are rests \
                 on the User-Agent alone",
                self.unauthenticated
            )?;
        }
        let (torn, unknown) = (self.records.torn.len(), self.records.unknown.values().sum::<u64>());
        if torn > 0 || unknown > 0 {
            writeln!(
                f,
                "  observations: {torn} torn lines, {unknown} records of unknown types were left out"
            )?;
        }
        Ok(())
    }
}

impl Hold {
    /// Who held what when, in a few words.
    pub(super) fn describe(&self, clock: &Clock) -> String {
        format!("{} (token {}, valid {})", self.replica, self.token, clock.show_interval(self.valid))
    }
}

impl Reconcile {
    /// Who ran when under what, in a few words.
    pub(super) fn describe(&self, clock: &Clock) -> String {
        let Self { replica, shard, token, ran, .. } = self;
        format!("{replica} ({}, token {token}, {})", shard.described(), clock.show_interval(*ran))
    }
}

/// For the beginning of a sentence.
pub(super) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}

fn as_millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64() * 1e3)
}
