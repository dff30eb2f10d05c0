//! What a run of one schedule reports: one JSON line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What came of one schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The schedule's seed.
    pub seed: u64,
    /// What was violated, in order of the checkers; empty if nothing was.
    pub violations: Vec<Violation>,
    /// Of the trace: same seed, same digest.
    pub digest: String,
    /// How much virtual time passed.
    pub virtual_seconds: f64,
    /// How much was judged by each checker, such as the number of reconciles: a checker that saw nothing proves nothing.
    pub judged: BTreeMap<String, u64>,
    /// Faults by kind: how many, and what they hit.
    pub faults: BTreeMap<String, FaultTally>,
    /// Request shapes that were seen and have no conformance case.
    pub uncovered_shapes: Vec<String>,
    /// From the last fault until everything was as asked for, in seconds; `None` if it never was.
    pub converged_after: Option<f64>,
    /// The longest time that a shard had no valid holder, as a share of its bound; above 1 is a violation where it is judged.
    pub longest_unowned: f64,
    /// Replicas, shards and resources.
    pub size: Size,
}

/// How large the installation was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// How many replicas there can be at once.
    pub replicas: usize,
    /// Shards.
    pub shards: u16,
    /// `Memcached` at the start.
    pub resources: usize,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Which checker saw it.
    pub checker: String,
    /// In one sentence.
    pub sentence: String,
    /// When, in seconds of true time, where it has an instant.
    pub at: Option<String>,
}

/// How often a kind of fault happened, and what it hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultTally {
    /// How often it happened.
    pub happened: u64,
    /// Messages lost, delayed or refused by it.
    pub messages: u64,
    /// Running reconciles that it hit.
    pub reconciles_hit: u64,
    /// Lease writes in flight that it hit.
    pub lease_writes_hit: u64,
    /// Watches that it silenced for good.
    #[serde(default)]
    pub watches_hit: u64,
    /// Lists of a shard's resources that it kept from being answered.
    #[serde(default)]
    pub first_lists_hit: u64,
}

impl FaultTally {
    /// Adds another's counts.
    pub fn add(&mut self, other: Self) {
        self.happened += other.happened;
        self.messages += other.messages;
        self.reconciles_hit += other.reconciles_hit;
        self.lease_writes_hit += other.lease_writes_hit;
        self.watches_hit += other.watches_hit;
        self.first_lists_hit += other.first_lists_hit;
    }
}

impl RunReport {
    /// Whether nothing was violated.
    pub fn passed(&self) -> bool {
        self.violations.is_empty()
    }
}
