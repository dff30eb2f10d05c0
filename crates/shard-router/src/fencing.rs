//! Fencing: the API server refuses the writes of a replica that no longer owns a bucket. What the API server needs for it, and nothing that runs
//! in a replica yet.
//!
//! - The [`OwnershipTable`] is a custom resource that says which Pod owns which bucket. There is one for each installation, named after its
//!   LeaderElectionID, in the namespace of the Leases. `kubectl get ownershiptables` shows who owns what.
//! - The [`FencingPolicy`] makes ValidatingAdmissionPolicies that compare the writes of the operator's ServiceAccount with the table. The API server knows
//!   from a [bound token] which Pod a request comes from, so a replica cannot claim to be another one.
//!
//! **No replica writes the table yet.** A bucket without a row is open, so the policy alone refuses nothing, unless it
//! [requires](FencingPolicy::required) rows.
//!
//! The policy sees the table through an informer of the API server, so it decides by a table that may be some milliseconds old. A
//! write that was admitted by the old table may be committed after the new one. Preconditions on writes are for that.
//!
//! [bound token]: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens

mod claim;
mod expressions;
mod owners;
mod policy;
mod row_key;
mod rules;
mod table;

pub use claim::{ClaimError, Outdated};
pub use policy::{FencingAction, FencingObjects, FencingPolicy, FencingPolicyError, REFUSAL_PREFIX};
pub use row_key::RowKey;
pub use table::{OwnershipTable, OwnershipTableSpec, Row};
