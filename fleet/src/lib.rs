//! The operator, installed on an API server and run as processes: one harness for the demo, the soak and the tests of the binary.
//!
//! [`Installation`] applies what `deploy/` has; [`Replica`] is a process of the operator under the name of a Pod, which a test may
//! kill, stop, ask to end and start again; [`write_rules`] says which writes a judge has to look at.

mod installation;
mod judgement;
mod replica;

pub use installation::{GROUP, Installation};
pub use judgement::write_rules;
pub use replica::{Replica, State, pod_name};
