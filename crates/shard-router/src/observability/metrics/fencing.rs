//! The metrics about fencing.

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

use super::Metrics;

/// All zero without fencing.
#[derive(Debug, Clone, Default)]
pub(super) struct FencingMetrics {
    missing: Gauge,
    contested: Gauge,
    restored: Counter,
    refusals: Counter,
    effective: Gauge,
    ineffective: Gauge,
}

impl FencingMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "fencing_rows_missing",
            "Rows of the ownership table to which this replica is entitled and that do not name it, so that it is not fenced there",
            self.missing.clone(),
        );
        registry.register(
            "fencing_rows_contested",
            "Those of them that name another Pod with a larger token, so that this replica does not work there",
            self.contested.clone(),
        );
        registry.register(
            "fencing_rows_restored",
            "Rows that this replica has written again, because somebody had removed or replaced them",
            self.restored.clone(),
        );
        registry.register(
            "fencing_refusals",
            "Writes that a fencing policy has refused and that were sent again, because the API server may not have heard of this owner yet",
            self.refusals.clone(),
        );
        registry.register(
            "fencing_effective",
            "Whether the last dry runs of this replica have shown that the API server admits the owner of a bucket and refuses another Pod",
            self.effective.clone(),
        );
        registry.register(
            "fencing_ineffective",
            "Whether they have shown that it refuses the owner, or admits another Pod; if both are 0, nothing was shown",
            self.ineffective.clone(),
        );
    }
}

impl Metrics {
    /// So many rows are missing, of which so many are contested.
    pub(crate) fn fencing_rows(&self, missing: usize, contested: usize) {
        self.fencing.missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
        self.fencing.contested.set(i64::try_from(contested).unwrap_or(i64::MAX));
    }

    pub(crate) fn fencing_rows_restored(&self, rows: usize) {
        self.fencing.restored.inc_by(u64::try_from(rows).unwrap_or(u64::MAX));
    }

    pub(crate) fn fencing_works(&self, effective: bool, ineffective: bool) {
        self.fencing.effective.set(effective.into());
        self.fencing.ineffective.set(ineffective.into());
    }

    /// A write is sent again after a policy has refused it.
    pub(crate) fn fencing_refusal(&self) {
        self.fencing.refusals.inc();
    }
}
