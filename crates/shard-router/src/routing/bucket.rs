//! Buckets and shards.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The number of buckets. It is the same in every layout and never changes.
pub const BUCKETS: u16 = 256;

/// One of 256 fixed virtual buckets. The bucket of a custom resource is stamped once and never changes. If the number of shards
/// changes, buckets move to other shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket(pub u8);

impl Bucket {
    /// Every bucket in order.
    pub fn all() -> impl Iterator<Item = Bucket> {
        (0..=u8::MAX).map(Bucket)
    }

    /// Parses a label value. `None` for every value that the stamper would not write
    /// ("007", "+7", " 7", "256"), so that each bucket has exactly one spelling in selectors.
    pub fn from_label(value: &str) -> Option<Bucket> {
        let bucket = Bucket(value.parse().ok()?);
        (bucket.to_string() == value).then_some(bucket)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a shard, from 0. Its Lease has the name `<LeaderElectionID>-shard-<n>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of shards of an operator: 1 to 256, because a shard needs at least one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct ShardCount(u16);

impl ShardCount {
    /// One shard: a plain active/standby operator.
    pub const ONE: ShardCount = ShardCount(1);

    /// The number itself.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Every shard in order.
    pub fn shards(self) -> impl DoubleEndedIterator<Item = ShardId> + ExactSizeIterator {
        (0..self.0).map(ShardId)
    }
}

impl fmt::Display for ShardCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<ShardCount> for u16 {
    fn from(count: ShardCount) -> u16 {
        count.0
    }
}

impl TryFrom<u16> for ShardCount {
    type Error = ShardCountError;

    fn try_from(count: u16) -> Result<Self, ShardCountError> {
        if (1..=BUCKETS).contains(&count) { Ok(Self(count)) } else { Err(ShardCountError(count)) }
    }
}

impl std::str::FromStr for ShardCount {
    type Err = ShardCountError;

    fn from_str(text: &str) -> Result<Self, ShardCountError> {
        text.parse::<u16>().unwrap_or(u16::MAX).try_into()
    }
}

/// A number of shards outside 1 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the number of shards must be between 1 and {BUCKETS}; set a number in that range")]
pub struct ShardCountError(u16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_one_spelling() {
        assert_eq!(Bucket::from_label("0"), Some(Bucket(0)));
        assert_eq!(Bucket::from_label("255"), Some(Bucket(255)));
        for garbage in ["", "256", "-1", "+7", "007", " 7", "seven", "7.0"] {
            assert_eq!(Bucket::from_label(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn counts_outside_the_range_are_refused() {
        assert!("0".parse::<ShardCount>().is_err());
        assert!("257".parse::<ShardCount>().is_err());
        assert!("many".parse::<ShardCount>().is_err());
        assert_eq!("256".parse::<ShardCount>().map(ShardCount::get), Ok(256));
    }
}
