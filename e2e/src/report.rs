//! What the run found, for people and for machines.

mod html;
mod junit;
mod plot;
mod timeline;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use overlap_checker::Verdict;
use overlap_checker::records::Stamp;
use serde::Serialize;

use crate::collected::Gathered;
use crate::drills::Drill;
use crate::harness::Harness;
use crate::judge::Measured;
use crate::screen::Screen;
use crate::traffic::Answers;
use crate::usage::Usage;

/// How many failures of one drill are printed; all of them are in the files.
const PRINTED: usize = 8;

/// The whole run.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) started: Timestamp,
    pub(crate) kubernetes: String,
    pub(crate) preset: String,
    pub(crate) bound: String,
    pub(crate) bound_ms: f64,
    pub(crate) drills: Vec<DrillResult>,
    /// Why the run ended before its last drill.
    pub(crate) aborted: Option<String>,
}

/// What became of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DrillStatus {
    Passed,
    Failed,
    /// And why.
    Skipped(String),
}

/// One drill.
#[derive(Serialize)]
pub(crate) struct DrillResult {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) outcome: DrillStatus,
    /// One sentence each.
    pub(crate) failures: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    #[serde(rename = "took_s", serialize_with = "as_seconds")]
    pub(crate) took: Duration,
    pub(crate) measured: Vec<Measured>,
    /// From each release to the next owner, in milliseconds.
    pub(crate) handovers: Vec<f64>,
    /// Gaps between owners judged so far.
    pub(crate) gaps: u64,
    pub(crate) answers: Answers,
    /// The most that one of the operator's containers took.
    pub(crate) usage: Usage,
    pub(crate) gathered: Gathered,
    pub(crate) verdict: Option<Verdict>,
    #[serde(skip)]
    pub(crate) since: Option<Stamp>,
    #[serde(skip)]
    pub(crate) until: Option<Stamp>,
}

impl DrillResult {
    pub(crate) fn new(drill: &Drill) -> Self {
        Self {
            name: drill.name,
            about: drill.about,
            outcome: DrillStatus::Passed,
            failures: Vec::new(),
            notes: Vec::new(),
            started: Timestamp::now(),
            ended: Timestamp::now(),
            took: Duration::ZERO,
            measured: Vec::new(),
            handovers: Vec::new(),
            gaps: 0,
            answers: Answers::default(),
            usage: Usage::default(),
            gathered: Gathered::default(),
            verdict: None,
            since: None,
            until: None,
        }
    }

    /// The result in one line, and one more for each failure.
    pub(crate) fn print(&self, screen: Screen) {
        let seconds = self.took.as_secs_f64();
        match &self.outcome {
            DrillStatus::Skipped(why) => screen.say(&format!("{}: SKIPPED: {why}", self.name)),
            DrillStatus::Passed => {
                screen.say(&format!("{}: ok, {seconds:.0} s; {}", self.name, self.collected()));
            }
            DrillStatus::Failed => {
                for failure in self.failures.iter().take(PRINTED) {
                    screen.say(&format!("{}: FAILED: {failure}", self.name));
                }
                if let Some(more @ 1..) = self.failures.len().checked_sub(PRINTED) {
                    screen.say(&format!(
                        "{}: FAILED for {more} more reasons, all of them in result.json",
                        self.name
                    ));
                }
            }
        }
    }

    /// What the judgement rests on.
    pub(crate) fn collected(&self) -> String {
        let Some(verdict) = &self.verdict else { return "not judged".to_owned() };
        let coverage = &verdict.coverage;
        format!(
            "{} overlaps in {} reconciles by {} processes, {} writes and {} gaps judged so far; {} sets and {} gets, {} errors",
            verdict.overlaps(),
            coverage.reconciles,
            coverage.replicas,
            coverage.writes,
            self.gaps,
            self.answers.sets,
            self.answers.gets,
            self.answers.errors.len()
        )
    }
}

impl Report {
    pub(crate) fn new(harness: &Harness) -> Self {
        let timings = harness.release.timings();
        Self {
            started: Timestamp::now(),
            kubernetes: harness.cluster.version.clone(),
            preset: harness.options.preset.name().to_owned(),
            bound: format!(
                "LeaseDuration {} s + RetryPeriod {} s = {} s",
                timings.lease_duration.as_secs(),
                timings.retry_period.as_secs(),
                timings.bound().as_secs()
            ),
            bound_ms: timings.bound().as_secs_f64() * 1e3,
            drills: Vec::new(),
            aborted: None,
        }
    }

    /// Writes junit.xml, report.html, result.json, and what `--json` asked for.
    pub(crate) fn write(&self, harness: &Harness) -> Result<()> {
        let json = serde_json::to_string_pretty(self).context("the result could not be serialised")? + "\n";
        let mut files = vec![
            (harness.dir.join("junit.xml"), junit::document(self)?),
            (harness.dir.join("report.html"), html::page(self, &harness.collected)),
            (harness.dir.join("result.json"), json.clone()),
        ];
        files.extend(harness.options.json.clone().map(|path| (path, json)));
        for (path, text) in files {
            std::fs::write(&path, text)
                .with_context(|| format!("{} could not be written", path.display()))?;
        }
        Ok(())
    }

    /// A line per drill, and where to look further.
    pub(crate) fn print(&self, screen: Screen) {
        println!();
        for drill in &self.drills {
            let result = match &drill.outcome {
                DrillStatus::Passed => "ok",
                DrillStatus::Failed => "FAILED",
                DrillStatus::Skipped(_) => "skipped",
            };
            println!("  {:<16} {result:<8} {:>5.0} s", drill.name, drill.took.as_secs_f64());
            for measured in &drill.measured {
                println!("      {}", measured.describe());
            }
            for failure in drill.failures.iter().take(PRINTED) {
                println!("      FAILED: {failure}");
            }
        }
        if let Some(gathered) = self.drills.last().map(|drill| &drill.gathered) {
            screen.say(&format!(
                "Gathered {} records and {} log lines of {} containers, {} lines of the audit log.",
                gathered.records, gathered.log_lines, gathered.containers, gathered.audit_lines
            ));
        }
    }

    /// An error unless every drill passed.
    pub(crate) fn into_result(self) -> Result<()> {
        let failed: Vec<_> = self
            .drills
            .iter()
            .filter(|drill| drill.outcome == DrillStatus::Failed)
            .map(|drill| drill.name)
            .collect();
        if let Some(why) = self.aborted {
            bail!("the run ended early: {why}");
        }
        if !failed.is_empty() {
            bail!("failed drills: {}", failed.join(", "));
        }
        if !self.drills.iter().any(|drill| drill.outcome == DrillStatus::Passed) {
            bail!("no drill ran, so nothing was shown");
        }
        Ok(())
    }
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
