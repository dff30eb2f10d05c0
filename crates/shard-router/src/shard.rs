//! One held shard: a kube-runtime controller over the custom resources of its buckets, from the acquisition of its
//! Lease to the end of the drain.

mod dry_run;
pub(crate) mod hold;
mod kind;
pub(crate) mod owner_finalizer;
pub(crate) mod reconcile;
pub(crate) mod reflect;
pub(crate) mod runner;
pub(crate) mod tracker;
mod triggers;
pub(crate) mod undecodable;
mod warm_up;
mod watched_barrier;
