//! What a custom resource must bring to be sharded.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::{Resource, core::ObjectMeta};
use serde::{Serialize, de::DeserializeOwned};

use crate::{routing::bucket::Bucket, rules};

/// A CEL rule that every sharded CRD should carry at its root: once recorded, the bucket stays.
///
/// With it the API server itself refuses whatever would move an object between shards behind its owner's back, such as
/// an edit of the recorded bucket together with the label, or a status that leaves the bucket out. With kube-derive:
/// `#[kube(validation = Rule::new(BUCKET_IMMUTABLE_RULE).message("status.bucket cannot be changed"))]`.
pub const BUCKET_IMMUTABLE_RULE: &str = "!has(oldSelf.status) || !has(oldSelf.status.bucket) || \
     (has(self.status) && has(self.status.bucket) && self.status.bucket == oldSelf.status.bucket)";

/// A namespaced custom resource with a status subresource that records the bucket as `status.bucket`.
///
/// The router writes that field, once, before it puts the label on. A label can be edited or lost in a replace; a status
/// cannot be reached that way, so labels are restored from it. The reconciler's own status writes must leave the field
/// alone: patch your own fields, and make the field immutable with [`BUCKET_IMMUTABLE_RULE`].
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
    /// `status.bucket`.
    fn recorded_bucket(&self) -> Option<u8>;
}

/// `namespace/name`: how records, messages and the tracker call a custom resource.
pub(crate) fn cr_name<K: Resource>(object: &K) -> String {
    cr_name_of(object.meta())
}

/// Likewise, by its metadata.
pub(crate) fn cr_name_of(meta: &ObjectMeta) -> String {
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

/// Whether an object may be reconciled, judged by its label, its status and its finalizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eligibility {
    /// Label and record agree.
    Eligible(Bucket),
    /// Something is missing or differs; it has to be written before anybody reconciles the object.
    NeedsStamp,
    /// It is being deleted without the finalizer that would keep its name taken, and the API server lets none be added.
    /// Reconciling it could overlap with the reconcile of a namesake, on another replica.
    Unprotected,
}

/// Judges an object with this bucket in its status. `finalizer` is the one it must have; `None` where buckets come from `namespace/name`.
pub(crate) fn eligibility(
    meta: &ObjectMeta,
    recorded: Option<u8>,
    bucket_label: &str,
    finalizer: Option<&str>,
) -> Eligibility {
    let label = meta.labels.as_ref().and_then(|labels| labels.get(bucket_label));
    let labelled = label.and_then(|value| Bucket::from_label(value));
    let protected = rules::required_finalizer(finalizer)
        .is_none_or(|finalizer| meta.finalizers.iter().flatten().any(|existing| existing == finalizer));
    match rules::agreed_bucket(labelled, recorded.map(Bucket)) {
        Some(bucket) if protected => Eligibility::Eligible(bucket),
        Some(_) if meta.deletion_timestamp.is_some() => Eligibility::Unprotected,
        _ => Eligibility::NeedsStamp,
    }
}
