//! The objects that a resource owns, applied so that only a difference costs a request.

mod applier;
mod differences;
mod digest;
mod dispute;
mod error;
mod owner;
mod ownership;
mod place;
mod precondition;
mod quantity;
mod restoring;

pub use applier::{Applied, Applier, Change};
pub use dispute::{Dispute, DisputeState};
pub use error::{ApplyError, is_conflict};
pub use owner::Owner;
pub(crate) use place::place;
pub use quantity::thousandths;
