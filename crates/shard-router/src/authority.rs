//! The right to reconcile: what a reconcile is given, and the clients that stop sending when the right ends.

pub(crate) mod clients;
pub(crate) mod held;
