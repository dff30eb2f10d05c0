//! What matters around a violation.

use std::collections::BTreeSet;
use std::time::Duration;

use overlap_checker::records::{Body, CrKey, Shard};

use crate::observations::Observations;
use crate::run_report::Violation;
use crate::time::TrueTime;

/// What is looked at.
#[derive(Debug)]
pub(super) struct Focus {
    from: TrueTime,
    to: TrueTime,
    /// The resources; all if none is named.
    crs: BTreeSet<CrKey>,
    /// The Leases; all if none is named.
    leases: BTreeSet<String>,
    shards: BTreeSet<Shard>,
    /// When it happened, where that is known.
    pub(super) violated_at: Option<TrueTime>,
}

impl Focus {
    /// A violation says in its sentence what it is about: the resources and Leases that occur there by name, and the shards that these
    /// belong to.
    pub(super) fn of(observations: &Observations, violation: Option<&Violation>) -> Self {
        let violated_at = violation.and_then(|violation| instant(violation.at.as_deref()?));
        let at = violated_at.unwrap_or(observations.ended);
        let timings = observations.schedule.timings;
        let mut focus = Self {
            from: at - (timings.bound() + timings.retry_period * 2),
            to: at + timings.retry_period * 2,
            crs: BTreeSet::new(),
            leases: BTreeSet::new(),
            shards: BTreeSet::new(),
            violated_at,
        };
        if let Some(violation) = violation {
            focus.name(observations, &violation.sentence);
        }
        focus
    }

    pub(super) fn shows(&self, at: TrueTime) -> bool {
        (self.from..=self.to).contains(&at)
    }

    pub(super) fn shows_cr(&self, cr: &CrKey) -> bool {
        self.crs.contains(cr) || (self.crs.is_empty() && self.leases.is_empty())
    }

    /// Whether a request to this path is about one of the resources, or a child of its name.
    pub(super) fn shows_path(&self, path: &str) -> bool {
        let last = path.trim_end_matches("/status").rsplit('/').next();
        self.crs.iter().any(|cr| last == Some(cr.name.as_str()))
    }

    pub(super) fn shows_hold(&self, lease: &str, shard: Option<Shard>) -> bool {
        self.names_nothing()
            || self.leases.contains(lease)
            || shard.is_some_and(|shard| self.shards.contains(&shard))
    }

    /// Writes to Leases come each RetryPeriod: unlike holds, they are shown only if they are about what is named.
    pub(super) fn shows_lease(&self, lease: &str) -> bool {
        self.leases.contains(lease)
    }

    fn names_nothing(&self) -> bool {
        self.crs.is_empty() && self.leases.is_empty() && self.shards.is_empty()
    }

    fn name(&mut self, observations: &Observations, sentence: &str) {
        let words: Vec<_> = words(sentence).collect();
        let leases = observations.leases.iter().map(|state| &state.name);
        self.leases.extend(leases.filter(|lease| words.contains(&lease.as_str())).cloned());
        let numbered =
            words.windows(2).filter(|pair| pair[0] == "shard").filter_map(|pair| pair[1].parse().ok());
        self.shards.extend(numbered.map(Shard));
        for record in &observations.records {
            if let Body::Begin { cr, shard, .. } = &record.body
                && (words.contains(&cr.to_string().as_str()) || words.contains(&cr.name.as_str()))
            {
                self.crs.insert(cr.clone());
                if self.shows(TrueTime::of(record.boot)) {
                    self.shards.insert(*shard);
                }
            }
        }
        for record in &observations.records {
            if let Body::HoldBegin { lease, shard: Some(shard), .. } = &record.body {
                if self.shards.contains(shard) {
                    self.leases.insert(lease.clone());
                } else if self.leases.contains(lease) {
                    self.shards.insert(*shard);
                }
            }
        }
    }
}

/// Names as they occur in a sentence, without its punctuation.
fn words(sentence: &str) -> impl Iterator<Item = &str> {
    let is_of_a_name = |c: char| c.is_ascii_alphanumeric() || "-./_".contains(c);
    sentence
        .split(move |c| !is_of_a_name(c))
        .map(|word| word.trim_matches('.'))
        .filter(|word| !word.is_empty())
}

fn instant(text: &str) -> Option<TrueTime> {
    let seconds = words(text).next()?.trim_end_matches('s').parse().ok()?;
    Some(TrueTime::after_start(Duration::try_from_secs_f64(seconds).ok()?))
}
