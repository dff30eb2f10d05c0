//! What a row of the table is about.

use std::fmt;

use crate::routing::bucket::Bucket;

/// What a row of the [`OwnershipTable`](super::OwnershipTable) is about, in other words what a Pod can own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// The resources of one bucket and their children.
    Bucket(Bucket),
    /// Resources without a bucket label: the right to stamp them. The coordinator owns it.
    Stamping,
    /// The resources of kinds that are not sharded, and children without a bucket label. The coordinator owns it.
    Coordinator,
}

impl RowKey {
    /// The key in the table: the bucket's number, `stamping` or `coordinator`.
    pub(super) const STAMPING: &'static str = "stamping";
    pub(super) const COORDINATOR: &'static str = "coordinator";

    /// Parses a key of the table. `None` for a key that no replica writes.
    pub fn parse(key: &str) -> Option<Self> {
        match key {
            Self::STAMPING => Some(Self::Stamping),
            Self::COORDINATOR => Some(Self::Coordinator),
            bucket => Bucket::from_label(bucket).map(Self::Bucket),
        }
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => bucket.fmt(f),
            Self::Stamping => f.write_str(Self::STAMPING),
            Self::Coordinator => f.write_str(Self::COORDINATOR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_spelling() {
        for key in
            [RowKey::Bucket(Bucket(0)), RowKey::Bucket(Bucket(255)), RowKey::Stamping, RowKey::Coordinator]
        {
            assert_eq!(RowKey::parse(&key.to_string()), Some(key));
        }
        assert_eq!(["256", "007", "", "Stamping"].map(RowKey::parse), [None; 4]);
    }
}
