//! [`Ownership`](super::Ownership) as the task that writes the rows sees it.

use std::sync::Arc;

use lease_core::FencingToken;
use serde_json::Value;

use super::{
    known::{KnownTable, State as TableState},
    state::{Due, Shared},
};
use crate::{
    fencing::{ClaimError, OwnershipTable, RowKey},
    observability::problem::Problem,
    options::Pod,
};

/// What is to be written, and where what was learned of the table goes.
#[derive(Clone)]
pub(crate) struct WriterSide(Arc<Shared>);

/// What to base a write on.
pub(crate) enum Basis {
    /// The table has to be read first.
    Unknown,
    /// There is no table.
    Absent,
    /// The merge patch to send; `None` if nothing is to be written. An error is a mistake here: rows that are due have larger tokens than those in the table.
    Patch(Result<Option<Value>, ClaimError>),
}

impl WriterSide {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn pod(&self) -> &Pod {
        &self.0.pod
    }

    /// Resolves when a hold needs other rows than before.
    pub(crate) async fn wanted(&self) {
        self.0.wanted.notified().await;
    }

    pub(crate) fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// What is to be done, by what is known of the table.
    pub(crate) fn due(&self) -> Due {
        self.0.lock().due(&self.0.pod)
    }

    /// What the next write is based on.
    pub(crate) fn basis(&self) -> Basis {
        let state = self.0.lock();
        match state.known.state() {
            TableState::Unknown => Basis::Unknown,
            TableState::Absent => Basis::Absent,
            TableState::There(table) => Basis::Patch(table.claim(&state.due(&self.0.pod).rows)),
        }
    }

    /// The table is so, or was so at some time.
    pub(crate) fn shown(&self, table: OwnershipTable) {
        self.learn(|known| known.shown(table));
    }

    /// The table was deleted; this was its last state.
    pub(crate) fn deleted(&self, last: &OwnershipTable) {
        self.learn(|known| known.deleted(last));
    }

    /// A read has found no table.
    pub(crate) fn absent(&self) {
        self.learn(KnownTable::absent);
    }

    /// What is known may be wrong.
    pub(crate) fn doubt(&self) {
        self.learn(KnownTable::doubt);
    }

    /// etcd was restored.
    pub(crate) fn forget(&self) {
        self.learn(KnownTable::forget);
    }

    fn learn(&self, what: impl FnOnce(&mut KnownTable)) {
        let mut state = self.0.lock();
        what(&mut state.known);
        state.note_written(&self.0.pod);
        drop(state);
        self.0.tell();
    }

    /// Whether buckets are worked on without their rows from now on.
    pub(crate) fn go_without(&self, go_without: bool) {
        let before = std::mem::replace(&mut self.0.lock().goes_without, go_without);
        if before != go_without {
            self.0.tell();
        }
    }

    /// The Lease of this hold was renewed after these rows were found to be contested, and the version of that write is their token.
    pub(crate) fn raise(&self, hold: u64, rows: impl IntoIterator<Item = RowKey>, token: FencingToken) {
        self.0.lock().raise(hold, rows, token);
    }
}
