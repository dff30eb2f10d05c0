//! Fencing: the API server refuses the writes of a replica that no longer owns a bucket. What the API server needs for it; replicas do their part with
//! [`Options::with_fencing`](crate::Options::with_fencing).
//!
//! - The [`OwnershipTable`] is a custom resource that says which Pod owns which bucket. There is one for each installation, named after its
//!   LeaderElectionID, in the namespace of the Leases. `kubectl get ownershiptables` shows who owns what.
//! - The [`FencingPolicy`] makes ValidatingAdmissionPolicies that compare the writes of the operator's ServiceAccount with the table. The API server knows
//!   from a [bound token] which Pod a request comes from, so a replica cannot claim to be another one.
//!
//! The ServiceAccount of the replicas needs the rights to get, list, watch, create and patch ownershiptables. A replica that holds a Lease writes its rows before it begins to work. A bucket
//! without a row is open, unless the policy [requires](FencingPolicy::required) rows.
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
mod settings;
mod table;

pub use claim::{ClaimError, Outdated};
pub use policy::{FencingAction, FencingObjects, FencingPolicy, FencingPolicyError, REFUSAL_PREFIX};
pub(crate) use policy::{is_refusal, names_refusal};
pub use row_key::RowKey;
pub use settings::Fencing;
pub use table::{OwnershipTable, OwnershipTableSpec, Row};
