//! Whether children carry the bucket label that the watches of their shard select by.
//!
//! A child without it is in no cache and its changes trigger nothing, so a reconciler that forgets the label would find the child absent, again and again, and never
//! see an edit of it. The answer to a write shows it: unlike the request, it contains the whole metadata, whoever has set them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use lease_core::Clock;
use parking_lot::Mutex;

use super::own_writes::Written;
use crate::{
    observability::{log_limit::LogLimit, metrics::KindMetrics},
    routing::bucket::Bucket,
};

/// A child was written without the bucket label of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlabelledChild {
    /// The type, as `plural.group`.
    pub resource: String,
    /// As `namespace/name`, or `name`.
    pub name: String,
    /// The key of the label.
    pub label: String,
    /// The value that it has instead, if it has one.
    pub found: Option<String>,
}

impl fmt::Display for UnlabelledChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, name, label, found } = self;
        write!(f, "{resource} {name} was written ")?;
        match found {
            Some(found) => write!(f, "with the label {label}={found}, which is not the bucket of its owner")?,
            None => write!(f, "without the label {label}")?,
        }
        write!(
            f,
            ", so its shard does not see it: `Held::owned` does not return it, and its changes cause no reconcile; call \
             `Held::label_child` on its metadata before each write"
        )
    }
}

impl std::error::Error for UnlabelledChild {}

/// The reconciles that run, and which of them have written a child without the label.
pub(crate) struct ChildLabels {
    /// `None` if the kind is not sharded: then its children need no label.
    label: Option<Arc<str>>,
    metrics: KindMetrics,
    log_limit: LogLimit,
    clock: Arc<dyn Clock>,
    /// By resource. An entry ends with its reconcile.
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    bucket: Option<Bucket>,
    unlabelled: Option<UnlabelledChild>,
}

impl ChildLabels {
    pub(crate) fn new(
        label: Option<Arc<str>>,
        metrics: KindMetrics,
        log_limit: LogLimit,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { label, metrics, log_limit, clock, running: Mutex::default() }
    }

    /// A reconcile of the resource begins. Its children have to be in its bucket.
    pub(crate) fn begin(&self, cr: &str, bucket: Option<Bucket>) {
        self.running.lock().insert(cr.to_owned(), Running { bucket, unlabelled: None });
    }

    /// The reconcile has ended. Returns a child that it has written without the label.
    pub(crate) fn end(&self, cr: &str) -> Option<UnlabelledChild> {
        self.running.lock().remove(cr)?.unlabelled
    }

    /// Whether watches of children are filtered by a label.
    pub(super) fn are_needed(&self) -> bool {
        self.label.is_some()
    }

    /// Whether the watch of this type shows the child of this resource, which has just been written. If not, that is reported.
    pub(super) fn is_shown(&self, cr: &str, resource: &str, child: &Written) -> bool {
        let Some(label) = &self.label else { return true };
        let found = child.label(label);
        let labelled = found.and_then(Bucket::from_label);
        let mut running = self.running.lock();
        let owner = running.get_mut(cr);
        // What others write than the reconcile of the owner is only known to need some bucket.
        let is_right = owner.as_ref().map_or(labelled.is_some(), |owner| labelled == owner.bucket);
        if is_right {
            return true;
        }
        let unlabelled = UnlabelledChild {
            resource: resource.to_owned(),
            name: child.name(),
            label: label.to_string(),
            found: found.map(str::to_owned),
        };
        self.report(cr, &unlabelled);
        if let Some(owner) = owner {
            owner.unlabelled = Some(unlabelled);
        }
        false
    }

    fn report(&self, cr: &str, unlabelled: &UnlabelledChild) {
        self.metrics.unlabelled_child();
        let line = format!("a child of {cr} is not watched: {unlabelled}");
        if let Some(withheld) = self.log_limit.due(&line, self.clock.now().monotonic) {
            tracing::warn!(withheld, "{line}");
        }
    }
}
