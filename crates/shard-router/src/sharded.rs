//! What a custom resource must bring to be sharded.

use std::fmt::Debug;

use k8s_openapi::{Metadata, NamespaceResourceScope};
use kube::{Resource, core::ObjectMeta};
use serde::{Serialize, de::DeserializeOwned};

use crate::routing::bucket::Bucket;

/// A CEL rule that a CRD with `status.bucket` should carry at its root: once recorded, the bucket stays.
///
/// With it the API server itself refuses whatever would move an object between shards behind its owner's back, such as
/// an edit of the recorded bucket together with the label, or a status that leaves the bucket out. With kube-derive:
/// `#[kube(validation = Rule::new(BUCKET_IMMUTABLE_RULE).message("status.bucket cannot be changed"))]`.
pub const BUCKET_IMMUTABLE_RULE: &str = "!has(oldSelf.status) || !has(oldSelf.status.bucket) || \
     (has(self.status) && has(self.status.bucket) && self.status.bucket == oldSelf.status.bucket)";

/// A namespaced resource that can be split into shards. Any kind can be, also one whose definition is somebody else's; every kind of the
/// Kubernetes API itself is.
///
/// The router puts the bucket on as a label. By `namespace/name` nothing else is needed, as the label can be checked against the object itself.
///
/// # With a key label
///
/// The value of a label can be edited, so the bucket has to be recorded, once, where users do not reach: in `status.bucket`, before the label is
/// put on. That takes a status subresource with this field, [`recorded_bucket`](Self::recorded_bucket) to read it, and
/// [`BUCKET_IMMUTABLE_RULE`] in the definition. Without the field, the subresource or the method, a replica that is set to a key label is not ready and
/// says why. The reconciler's own status writes must leave the field alone: patch your own fields.
pub trait Sharded:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// `status.bucket`; `None`, as by default, for kinds that have no such field. A record counts with a key label and without, and of an object that does
    /// not decode it is read as `/status/bucket`: so a kind must not have a field of this name for something else, nor one that users may write.
    fn recorded_bucket(&self) -> Option<u8> {
        None
    }
}

/// The kinds of the Kubernetes API itself. [`Options`](crate::Options) need a domain for them that is yours (`elections.domain`).
impl<K> Sharded for K where
    K: Metadata<Ty = ObjectMeta, Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// `namespace/name`: how records, messages and the tracker call a custom resource.
pub(crate) fn cr_name<K: Resource>(object: &K) -> String {
    cr_name_of(object.meta())
}

/// Likewise, by its metadata.
pub(crate) fn cr_name_of(meta: &ObjectMeta) -> String {
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

/// Whether an object may be reconciled, judged by its label, its name, its status and its finalizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eligibility {
    /// The label says what the bucket is.
    Eligible(Bucket),
    /// Something is missing or differs; it has to be written before anybody reconciles the object.
    NeedsStamp,
    /// It is being deleted without the finalizer that would keep its name taken, and the API server lets none be added.
    /// Reconciling it could overlap with the reconcile of a namesake, on another replica.
    Unprotected,
}
