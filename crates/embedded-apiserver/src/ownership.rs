//! Who owns which field: structured-merge-diff, as far as the kinds served here need it.
//!
//! Follows sigs.k8s.io/structured-merge-diff v6 rule by rule, down to what is and is not a member of a set, because
//! `metadata.managedFields` shows it.

mod compare;
mod element;
mod managed;
mod merge;
mod remove;
mod set;
mod typed;
mod update;

pub(crate) use managed::{Manager, Managers, Operation};
pub(crate) use set::FieldSet;
pub(crate) use typed::mistyped;
pub(crate) use update::{ApplyError, apply, update};
