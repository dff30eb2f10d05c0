//! Runs the model.

use std::fmt::Write as _;

use stateright::{Checker, Model};

use crate::{action::Action, model::LayoutModel, state::State};

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// Both properties hold in all states.
    Holds {
        /// Different states.
        states: usize,
        /// Steps between them.
        steps: usize,
        /// The longest way to any of them, of the shortest ways.
        depth: usize,
    },
    /// One does not.
    Fails {
        /// Its name.
        property: &'static str,
        /// The steps that lead to a state in which it does not hold, one a line.
        path: String,
        /// How many they are.
        steps: usize,
    },
}

/// Checks all states, the nearest first, so that a counterexample has few steps.
pub fn exhaustively(model: LayoutModel, threads: usize) -> Outcome {
    let checker = model.checker().threads(threads).finish_when(stateright::HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    match checker.discoveries().into_iter().next() {
        Some((property, path)) => {
            let path = path.into_vec();
            let steps = path.len() - 1;
            Outcome::Fails { property, path: written(&path), steps }
        }
        None => Outcome::Holds {
            states: checker.unique_state_count(),
            steps: checker.state_count(),
            depth: checker.max_depth(),
        },
    }
}

fn written(path: &[(State, Option<Action>)]) -> String {
    let mut lines = String::new();
    for action in path.iter().filter_map(|(_, action)| *action) {
        let _written = writeln!(lines, "  {action:?}");
    }
    let _written = write!(lines, "  leads to {:?}", path.last().map(|(state, _)| state));
    lines
}
