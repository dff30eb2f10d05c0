//! What an operator is doing: which replica holds which shard, since when and why, and what a change of the layout waits for.
//!
//! Everything is read from Leases and from the labels of resources, so it works without a replica that answers, and needs only the right to list: Leases in
//! their namespace, and resources in the namespaces that replicas watch. Nothing is written.
//!
//! ```no_run
//! use lease_core::LeaderElectionId;
//! use shard_router::{Names, status::StatusReader};
//!
//! # async fn print(client: kube::Client) -> Result<(), Box<dyn std::error::Error>> {
//! let names = Names::new(LeaderElectionId::new("web.example.com")?, "example.com");
//! let status = StatusReader::new(client, names, "operators").kind::<k8s_openapi::api::core::v1::ConfigMap>().read().await?;
//! print!("{}", status.table(false));
//! println!("{:?}", status.verdict());
//! # Ok(())
//! # }
//! ```

mod assess;
mod counts;
mod error;
mod reader;
mod report;
mod requests;
mod table;

pub use error::StatusError;
pub use reader::StatusReader;
pub use report::{
    Hold, HoldState, KindStatus, LayoutStatus, MemberState, MemberStatus, SCHEMA_VERSION, ShardStatus,
    Status, TakeoverStatus, Verdict,
};

#[cfg(test)]
mod tests;
