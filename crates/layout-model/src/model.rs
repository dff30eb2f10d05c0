//! The model, as stateright takes it.

use stateright::{Model, Property};

use crate::{
    action::Action,
    recovered::Recovered,
    state::{Left, State},
};

/// How much may happen.
#[derive(Debug)]
pub struct LayoutModel {
    /// The number of replicas.
    pub replicas: usize,
    /// The most shards of a layout.
    pub shards: usize,
    /// Changes and faults.
    pub left: Left,
    /// Whether a replica that has won a shard reads the coordinator Lease before it starts anything. Off only to show what that is for.
    pub confirms: bool,
    /// Whether a recovered generation has a larger number than each that was ever committed, and not only than those that were acknowledged. Off only to show what that is for.
    pub outnumbers_all: bool,
    /// Whether states that differ only in which replica is which count as one. Off for counterexamples that people read: there a replica keeps its number.
    pub symmetric: bool,
    /// All steps, whether they are possible or not.
    pub steps: Vec<Action>,
    /// See [`LayoutModel::recovers`].
    pub recovered: Recovered,
}

impl LayoutModel {
    /// A model within these bounds.
    pub fn new(replicas: usize, shards: usize, left: Left) -> Self {
        Self {
            replicas,
            shards,
            left,
            confirms: true,
            outnumbers_all: true,
            symmetric: true,
            steps: Action::all(replicas, shards),
            recovered: Recovered::new(),
        }
    }
}

/// The promise.
pub const EXCLUSIVE: &str = "no bucket is worked on under two holds at once";
/// No dead ends.
pub const NEVER_STUCK: &str = "a settled layout is reached once nothing goes wrong any more";

impl Model for LayoutModel {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::before_installation(self.left)]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        actions.extend(&self.steps);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        self.apply(last, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(EXCLUSIVE, |_, state: &State| !state.overlaps()),
            Property::always(NEVER_STUCK, |model: &Self, state| model.recovers(state)),
        ]
    }
}
