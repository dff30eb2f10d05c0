//! [`Sharded`]: the requirements on a kind that is sharded.

use std::fmt::Debug;

use k8s_openapi::Metadata;
use kube::{
    Resource,
    core::{ApiResource, DynamicObject, ObjectMeta},
    runtime::reflector::{Lookup, ObjectRef},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    kind_type::{KindScope, TypeInformation},
    routing::bucket::Bucket,
};

/// A CEL rule for the root of a CRD with `status.bucket`: once recorded, the bucket cannot be changed.
///
/// With this rule the API server refuses any change that would move an object to another shard without its owner's knowledge, such as
/// an edit of the recorded bucket together with the label, or a status without the bucket. With kube-derive:
/// `#[kube(validation = Rule::new(BUCKET_IMMUTABLE_RULE).message("status.bucket cannot be changed"))]`.
pub const BUCKET_IMMUTABLE_RULE: &str = "!has(oldSelf.status) || !has(oldSelf.status.bucket) || \
     (has(self.status) && has(self.status.bucket) && self.status.bucket == oldSelf.status.bucket)";

/// A kind that can be split into shards, namespaced or cluster-scoped. Any kind can implement it, even if its definition is not yours. All built-in kinds
/// of Kubernetes implement it already. For a kind that is not known at compile time, see
/// [`ShardedApp::dynamic_controller`](crate::ShardedApp::dynamic_controller).
///
/// The router adds the bucket as a label. With the name as key ([`ShardKey`](crate::ShardKey)) nothing else is needed, because the label can be compared
/// with the name.
///
/// ```
/// # use kube::CustomResource;
/// # use schemars::JsonSchema;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(CustomResource, Clone, Debug, Serialize, Deserialize, JsonSchema)]
/// # #[kube(group = "example.com", version = "v1", kind = "Cache", namespaced)]
/// # struct CacheSpec {}
/// impl shard_router::Sharded for Cache {}
/// ```
///
/// # With a key label
///
/// Users can edit the value of a label, so the bucket must be recorded, once, where users cannot edit it: in `status.bucket`, before the label is
/// written. This requires a status subresource with this field, [`recorded_bucket`](Self::recorded_bucket) to read it, and
/// [`BUCKET_IMMUTABLE_RULE`] in the CRD. Without the field, the subresource or the method, a replica with a key label is not ready and
/// says why. The reconciler must not change the field in its own status writes: patch only your own fields.
pub trait Sharded:
    Resource<DynamicType = (), Scope: KindScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The value of `status.bucket`. The default, `None`, is for kinds without this field.
    ///
    /// A recorded bucket counts with and without a key label. It is also read from `/status/bucket` of objects that do not decode. So a kind must not have a
    /// field of this name with another meaning, or one that users may write.
    fn recorded_bucket(&self) -> Option<u8> {
        None
    }

    /// Whether somebody waits for a reconcile of the object, as far as the object itself shows it: `status.observedGeneration` is not
    /// `metadata.generation`.
    ///
    /// A replica that gains a shard finds all of its objects in one list. Those of which this is true are reconciled first, so that an edit from the time of
    /// the handover does not wait behind thousands of objects that only have to be looked at. It decides about the order alone: each object of the list is
    /// reconciled. The default, `false`, is for kinds without `status.observedGeneration`, and that of the
    /// built-in kinds of Kubernetes. A [`DynamicObject`] is asked for the field itself.
    ///
    /// ```
    /// # use kube::CustomResource;
    /// # use schemars::JsonSchema;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(CustomResource, Clone, Debug, Serialize, Deserialize, JsonSchema)]
    /// # #[kube(group = "example.com", version = "v1", kind = "Cache", namespaced, status = "CacheStatus")]
    /// # struct CacheSpec {}
    /// # #[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
    /// # #[serde(rename_all = "camelCase")]
    /// # struct CacheStatus { observed_generation: Option<i64> }
    /// impl shard_router::Sharded for Cache {
    ///     fn has_unobserved_generation(&self) -> bool {
    ///         self.status.as_ref().and_then(|status| status.observed_generation) != self.metadata.generation
    ///     }
    /// }
    /// ```
    fn has_unobserved_generation(&self) -> bool {
        false
    }
}

/// The built-in kinds of Kubernetes. For these, set a domain of your own in [`Options`](crate::Options) (`elections.domain`).
impl<K> Sharded for K where
    K: Metadata<Ty = ObjectMeta>
        + Resource<DynamicType = (), Scope: KindScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// The Rust type of the objects of a sharded kind: each type that is [`Sharded`], and [`DynamicObject`] for kinds that are not known at compile time. It
/// cannot be implemented for other types.
pub trait ShardedObject:
    Resource<DynamicType: TypeInformation> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    #[doc(hidden)]
    fn bucket_in_status(&self) -> Option<u8>;
    #[doc(hidden)]
    fn generation_is_unobserved(&self) -> bool;
}

impl<K> ShardedObject for K
where
    K: Resource<DynamicType: TypeInformation + ReadsStatus<K>>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static,
{
    fn bucket_in_status(&self) -> Option<u8> {
        <K::DynamicType as ReadsStatus<K>>::bucket_in_status(self)
    }

    fn generation_is_unobserved(&self) -> bool {
        <K::DynamicType as ReadsStatus<K>>::generation_is_unobserved(self)
    }
}

/// How the status is read depends on whether the kind is known at compile time. An implementation of [`ShardedObject`] for each would not do: to the compiler,
/// `DynamicObject` could become a built-in kind one day.
#[doc(hidden)]
pub trait ReadsStatus<K> {
    fn bucket_in_status(object: &K) -> Option<u8>;
    fn generation_is_unobserved(object: &K) -> bool;
}

impl<K: Sharded> ReadsStatus<K> for () {
    fn bucket_in_status(object: &K) -> Option<u8> {
        object.recorded_bucket()
    }

    fn generation_is_unobserved(object: &K) -> bool {
        object.has_unobserved_generation()
    }
}

impl ReadsStatus<DynamicObject> for ApiResource {
    fn bucket_in_status(object: &DynamicObject) -> Option<u8> {
        bucket_in_status(&object.data)
    }

    /// Of an object without the field it is not known whether its kind has one.
    fn generation_is_unobserved(object: &DynamicObject) -> bool {
        let observed = object.data.pointer("/status/observedGeneration").and_then(Value::as_i64);
        observed.is_some_and(|observed| Some(observed) != object.metadata.generation)
    }
}

/// `/status/bucket` of an object.
pub(crate) fn bucket_in_status(object: &Value) -> Option<u8> {
    object.pointer("/status/bucket").and_then(Value::as_u64).and_then(|bucket| u8::try_from(bucket).ok())
}

/// `namespace/name`, or `name` of an object that is in no namespace, as used in messages and the tracker.
pub(crate) fn cr_name<K: Resource>(object: &K) -> String {
    cr_name_of(object.meta())
}

/// The same, from the metadata.
pub(crate) fn cr_name_of(meta: &ObjectMeta) -> String {
    qualified(meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default())
}

/// The same, of what is referred to.
pub(crate) fn cr_name_of_ref<K: Lookup>(reference: &ObjectRef<K>) -> String {
    qualified(reference.namespace.as_deref(), &reference.name)
}

/// The same, from its parts. A name contains no slash, so two objects of one kind never have the same.
pub(crate) fn qualified(namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) if !namespace.is_empty() => format!("{namespace}/{name}"),
        _ => name.to_owned(),
    }
}

/// Whether an object may be reconciled, according to its label, name, status and finalizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eligibility {
    /// The label agrees with the bucket of the object. `None` if the kind is not sharded, so that there is nothing to agree about.
    Eligible(Option<Bucket>),
    /// Something is missing or differs, and has to be written before anybody reconciles the object.
    NeedsStamp,
    /// It is being deleted without the finalizer that keeps its name taken, and the API server does not allow to add one now.
    /// Its reconcile could overlap with that of a new object of the same name on another replica.
    Unprotected,
}
