//! An exhaustive model of layout changes: replicas, a coordinator, faults and people, in every order within bounds. See docs/model.md.
//!
//! The steps ask the rules in [`shard_router::layout_change`]. What is modelled here is what surrounds them: who knows what, what lasts how long, and what
//! goes wrong.

pub mod action;
pub mod bounds;
pub mod buckets;
pub mod check;
pub mod model;
pub mod recovered;
mod recovery;
pub mod state;
mod steps;
