//! A sharded, highly available operator for Memcached.
//!
//! [`crd`] is what users write, [`reconcile`] turns it into children.

pub mod crd;
pub mod reconcile;
