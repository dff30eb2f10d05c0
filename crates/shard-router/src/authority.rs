//! The right to reconcile: [`Held`](crate::Held), and the clients that refuse to send when the right has ended.

pub(crate) mod apply_owned;
pub(crate) mod buckets;
pub(crate) mod clients;
pub(crate) mod error;
pub(crate) mod held;
pub(crate) mod refused;
mod report;
