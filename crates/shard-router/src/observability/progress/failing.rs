//! Lists and watches that keep failing.

use std::{collections::BTreeMap, sync::Arc};

use lease_core::{Clock, Monotonic};
use parking_lot::Mutex;

use crate::observability::requests::{Answer, Observer, Target};

/// Those whose last answer was a failure: since when, and what it was.
#[derive(Debug, Default)]
pub(super) struct Failing(BTreeMap<Target, (Monotonic, String)>);

impl Failing {
    pub(super) fn answered(&mut self, target: &Target, answer: &Answer, now: Monotonic) {
        if !matches!(target.verb, "list" | "watch") {
            return;
        }
        let why = match answer {
            Answer::Accepted => None,
            // The version was too old: a list follows, whose answer counts.
            Answer::Refused { code: 410, .. } => return,
            // In any namespace: the API server does not know this resource.
            Answer::Refused { code: 404, .. } => Some(
                "(404) the API server does not serve them; is their custom resource definition installed?"
                    .into(),
            ),
            Answer::Refused { code, message, .. } => Some(format!("({code}) {message}")),
            Answer::Failed(error) => Some(error.clone()),
        };
        match why {
            None => {
                self.0.remove(target);
                if target.verb == "watch" {
                    // The watch continues after a list, so a failed list is over, too.
                    self.0.remove(&Target { verb: "list", ..target.clone() });
                }
            }
            Some(why) => {
                let place = target.namespace.as_ref().map_or_else(
                    || "in all namespaces".to_owned(),
                    |namespace| format!("in namespace {namespace}"),
                );
                let why = format!("the {} of {} {place} keeps failing: {why}", target.verb, target.resource);
                self.0.entry(target.clone()).or_insert((now, String::new())).1 = why;
            }
        }
    }

    /// What fails, since when and why.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Target, Monotonic, &str)> {
        self.0.iter().map(|(target, (since, why))| (target, *since, why.as_str()))
    }
}

/// The progress of a watch that all shards share, for the kinds that depend on it.
#[derive(Debug)]
pub(crate) struct WatchedProgress {
    clock: Arc<dyn Clock>,
    failing: Mutex<Failing>,
}

impl WatchedProgress {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, failing: Mutex::default() }
    }

    /// The watch starts anew: what failed before was of another.
    pub(crate) fn restart(&self) {
        *self.failing.lock() = Failing::default();
    }

    pub(super) fn failing(&self) -> Vec<(Target, Monotonic, String)> {
        let failing = self.failing.lock();
        failing.iter().map(|(target, since, why)| (target.clone(), since, why.to_owned())).collect()
    }
}

impl Observer for WatchedProgress {
    fn answered(&self, target: &Target, answer: &Answer) {
        self.failing.lock().answered(target, answer, self.clock.now().monotonic);
    }
}
