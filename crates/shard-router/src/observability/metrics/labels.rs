//! The labels of metrics of one kind.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use crate::routing::part::{Part, UNSHARDED};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    pub(super) kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct KindShardLabel {
    pub(super) kind: String,
    pub(super) shard: Part,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindOutcomeLabel {
    pub(super) kind: String,
    pub(super) outcome: &'static str,
}

/// The number of the shard, or a word for the kinds that are not sharded.
impl EncodeLabelValue for Part {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Shard(shard) => shard.0.encode(encoder),
            Self::Unsharded => UNSHARDED.encode(encoder),
        }
    }
}
