//! How large the models are that are checked.

use std::fmt;

use crate::{model::LayoutModel, state::Left};

/// The size of one model.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The number of replicas.
    pub replicas: usize,
    /// The most shards of a layout.
    pub shards: usize,
    /// Changes and faults.
    pub left: Left,
}

/// What every change of the project is checked with.
pub const BOUNDED: &[Bounds] = &[
    of(2, 2, left(1, 1, 0, 1)),
    of(2, 2, left(3, 1, 1, 1)),
    of(3, 2, left(1, 1, 0, 1)),
    of(2, 3, left(2, 1, 0, 0)),
    of(2, 3, left(3, 0, 0, 0)),
    of(2, 3, left(1, 1, 0, 1)),
];

/// What is checked on request, in this order.
pub const FULL: &[Bounds] =
    &[of(2, 3, left(2, 1, 0, 1)), of(3, 3, left(1, 1, 0, 1)), of(2, 3, left(3, 1, 1, 1))];

impl Bounds {
    /// The model of this size.
    pub fn model(self) -> LayoutModel {
        LayoutModel::new(self.replicas, self.shards, self.left)
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Left { changes, ends, lost_answers, deletions } = self.left;
        write!(
            f,
            "replicas {}, shards {}, changes {changes}, crashes and pauses {ends}, lost answers {lost_answers}, deletions {deletions}",
            self.replicas, self.shards
        )
    }
}

const fn of(replicas: usize, shards: usize, left: Left) -> Bounds {
    Bounds { replicas, shards, left }
}

const fn left(changes: u8, ends: u8, lost_answers: u8, deletions: u8) -> Left {
    Left { changes, ends, lost_answers, deletions }
}
