//! What this replica knows of the table: the newest state that a watch or an answer has shown.

use std::sync::Arc;

use kube::ResourceExt;

use crate::fencing::OwnershipTable;

/// The newest known state.
#[derive(Debug, Default)]
pub(super) struct KnownTable {
    state: State,
    /// The largest version seen: a watch may show older states than an answer has.
    version: u64,
}

/// Whether there is a table.
#[derive(Debug, Clone, Default)]
pub(super) enum State {
    /// It has to be read.
    #[default]
    Unknown,
    /// There is none.
    Absent,
    /// There is this one.
    There(Arc<OwnershipTable>),
}

impl KnownTable {
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn table(&self) -> Option<&OwnershipTable> {
        match &self.state {
            State::There(table) => Some(table),
            State::Unknown | State::Absent => None,
        }
    }

    /// Takes in a state, unless a newer one is known.
    pub(super) fn shown(&mut self, table: OwnershipTable) {
        let version = version(&table);
        if version >= self.version {
            (self.version, self.state) = (version, State::There(Arc::new(table)));
        }
    }

    /// A watch has shown that this one was deleted.
    pub(super) fn deleted(&mut self, last: &OwnershipTable) {
        let version = version(last);
        if version >= self.version {
            (self.version, self.state) = (version, State::Absent);
        }
    }

    /// A read has found none.
    pub(super) fn absent(&mut self) {
        self.state = State::Absent;
    }

    /// What is known may be wrong, so that the table has to be read.
    pub(super) fn doubt(&mut self) {
        self.state = State::Unknown;
    }

    /// After a restore of etcd, versions mean other states.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

fn version(table: &OwnershipTable) -> u64 {
    table.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fencing::OwnershipTableSpec;

    fn table(version: u64) -> OwnershipTable {
        let mut table = OwnershipTable::new("id", OwnershipTableSpec::default());
        table.metadata.resource_version = Some(version.to_string());
        table
    }

    fn known(known: &KnownTable) -> Option<u64> {
        known.table().map(version)
    }

    #[test]
    fn an_older_state_does_not_replace_a_newer_one() {
        let mut it = KnownTable::default();
        it.shown(table(7));
        it.shown(table(5));
        it.deleted(&table(6));
        assert_eq!(known(&it), Some(7));
        it.deleted(&table(8));
        it.shown(table(7));
        assert!(matches!(it.state(), State::Absent));
        it.shown(table(9));
        assert_eq!(known(&it), Some(9));
        it.forget();
        it.shown(table(2));
        assert_eq!(known(&it), Some(2), "after a restore of etcd");
    }
}
