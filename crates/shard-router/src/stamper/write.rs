//! The writes of a stamp: one, or two with a key label.

use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use super::config::StampConfig;
use crate::{observability::sentence, sharded::ShardedObject, watch::lenient::Lenient};

/// Adds the label (and the finalizer), with the version of the object as precondition. If the bucket has to be recorded, it is written
/// before, with the same precondition.
///
/// The order matters: a label without a record could be edited before there is anything to restore it from, whereas a
/// record without a label only waits for the next stamper. An object whose label differs from its bucket is not reconciled.
/// Returns the new state of the object.
pub(super) async fn stamp<K: ShardedObject>(
    api: &Api<Lenient<K>>,
    config: &StampConfig,
    object: &Lenient<K>,
) -> Result<Lenient<K>, StampError> {
    let params = PatchParams { field_manager: Some("shard-router".into()), ..PatchParams::default() };
    let name = object.name_any();
    let stamp = config.stamp(object.meta(), object.recorded_bucket());
    let recorded;
    let object = if stamp.record {
        let patch = json!({"metadata": precondition(object), "status": {"bucket": stamp.bucket}});
        recorded = match api.patch_status(&name, &params, &Patch::Merge(patch)).await {
            Ok(recorded) => recorded,
            Err(error) => return Err(without_subresource(api, object, error).await),
        };
        if recorded.recorded_bucket() != Some(stamp.bucket.0) {
            // The write was accepted, but the field is missing: the API server drops fields that are not in the schema.
            return Err(StampError::NotRecorded);
        }
        &recorded
    } else {
        object
    };
    let mut metadata = precondition(object);
    metadata["labels"] = json!({&config.bucket_label: stamp.bucket.to_string()});
    if let Some(finalizers) = stamp.finalizers {
        // A merge patch replaces the list, which the resourceVersion makes safe.
        metadata["finalizers"] = json!(finalizers);
    }
    Ok(api.patch(&name, &params, &Patch::Merge(json!({ "metadata": metadata }))).await?)
}

/// The API server answers 404 to a status without a subresource as it does to an object that is gone.
async fn without_subresource<K: ShardedObject>(
    api: &Api<Lenient<K>>,
    object: &Lenient<K>,
    error: kube::Error,
) -> StampError {
    if matches!(&error, kube::Error::Api(status) if status.code == 404) {
        let found = api.get(&object.name_any()).await;
        if found.is_ok_and(|found| found.meta().uid == object.meta().uid) {
            return StampError::NoSubresource;
        }
    }
    StampError::Request(error)
}

/// Why a stamp failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StampError {
    /// The API server refused the request, or did not answer.
    #[error("{}", sentence::of_request(.0))]
    Request(#[from] kube::Error),
    /// The kind has no status subresource.
    #[error("there is no status subresource; add `subresources: {{status: {{}}}}`, or set no key label")]
    NoSubresource,
    /// The schema lacks the field, or `Sharded::recorded_bucket` does not read it.
    #[error(
        "the API server has dropped status.bucket; add `bucket` (integer) to the schema of `status`, and let \
         Sharded::recorded_bucket return it, or set no key label"
    )]
    NotRecorded,
}

fn precondition<K: ShardedObject>(object: &Lenient<K>) -> Value {
    json!({"uid": object.meta().uid, "resourceVersion": object.meta().resource_version})
}
