//! The operator, installed on an API server and run as processes: one harness for the demo, the soak and the tests of the binary.
//!
//! [`Installation`] applies what `deploy/` has; [`Replica`] is a process of the operator under the name of a Pod, which a test may
//! kill, stop, ask to end and start again; [`shard_leases`] tells who holds what; [`write_rules`] says which writes a judge has to
//! look at.

mod installation;
mod judgement;
mod leases;
mod replica;

pub use installation::{GROUP, Installation, apply_manifest};
pub use judgement::write_rules;
pub use leases::{LEADER_ELECTION_ID, ShardLease, held_by_pod, shard_leases};
pub use replica::{Replica, State, pod_name};
