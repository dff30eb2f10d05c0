//! The two writes of a stamp.

use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    names::Names,
    routing::{bucket::Bucket, key::ShardKey},
    rules,
    sharded::Sharded,
    watch::lenient::Lenient,
};

/// What a stamp consists of.
#[derive(Debug, Clone)]
pub(crate) struct StampConfig {
    pub(crate) bucket_label: String,
    pub(crate) key_label: Option<String>,
    /// The finalizer that goes on with the label; only with a key label.
    pub(crate) finalizer: Option<String>,
    /// The same, which objects may still have from a time with a key label. Their owner takes it off whatever the settings are now.
    pub(crate) owner_finalizer: String,
}

impl StampConfig {
    pub(crate) fn new(names: &Names, key_label: Option<String>) -> Self {
        let owner_finalizer = names.owner_finalizer();
        let finalizer = key_label.is_some().then(|| owner_finalizer.clone());
        Self { bucket_label: names.bucket_label(), key_label, finalizer, owner_finalizer }
    }

    /// The bucket as recorded, else as the key gives it. A recorded one stands whatever the key reads now.
    pub(super) fn bucket<K: Sharded>(&self, object: &Lenient<K>) -> Bucket {
        let of_key = || ShardKey::of(object.meta(), self.key_label.as_deref()).bucket();
        rules::bucket_to_stamp(object.recorded_bucket().map(Bucket), of_key)
    }
}

/// Records the bucket in status, then puts the label (and the finalizer) on, each write conditional on the state it was
/// decided upon.
///
/// In this order: a label without a record could be edited before there is anything to restore it from, whereas a
/// record without a label only waits for the next stamper. An object whose two disagree is reconciled by nobody.
pub(super) async fn stamp<K: Sharded>(
    api: &Api<Lenient<K>>,
    config: &StampConfig,
    object: &Lenient<K>,
) -> Result<(), StampError> {
    let params = PatchParams { field_manager: Some("shard-router".into()), ..PatchParams::default() };
    let name = object.name_any();
    let bucket = config.bucket(object);
    let recorded;
    let object = if object.recorded_bucket().is_some() {
        object
    } else {
        let patch = json!({"metadata": precondition(object), "status": {"bucket": bucket}});
        recorded = match api.patch_status(&name, &params, &Patch::Merge(patch)).await {
            Ok(recorded) => recorded,
            Err(error) => return Err(without_subresource(api, object, error).await),
        };
        if recorded.recorded_bucket() != Some(bucket.0) {
            // Written and accepted, and not there: the API server drops what the CRD's schema does not know.
            return Err(StampError::NotRecorded);
        }
        &recorded
    };
    let mut metadata = precondition(object);
    metadata["labels"] = json!({&config.bucket_label: bucket.to_string()});
    if let Some(finalizers) = finalizers(config, object) {
        metadata["finalizers"] = json!(finalizers);
    }
    api.patch(&name, &params, &Patch::Merge(json!({ "metadata": metadata }))).await?;
    Ok(())
}

/// The API server answers 404 to a status without a subresource as it does to an object that is gone.
async fn without_subresource<K: Sharded>(
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

/// Why a stamp came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum StampError {
    /// The API server refused it, or did not answer.
    #[error(transparent)]
    Request(#[from] kube::Error),
    /// The CRD has no status subresource.
    #[error("there is no status subresource; add `subresources: {{status: {{}}}}`")]
    NoSubresource,
    /// The CRD's schema lacks the field, or `Sharded::recorded_bucket` does not read it.
    #[error(
        "what was written to status.bucket is not there; add `bucket` (integer) to the schema of `status`, and let \
         Sharded::recorded_bucket return it"
    )]
    NotRecorded,
}

fn precondition<K: Sharded>(object: &Lenient<K>) -> Value {
    json!({"uid": object.meta().uid, "resourceVersion": object.meta().resource_version})
}

/// The list with our finalizer added. A merge patch replaces the list, which the resourceVersion makes safe. The API
/// server permits no new finalizer on an object that is being deleted.
fn finalizers<K: Sharded>(config: &StampConfig, object: &Lenient<K>) -> Option<Vec<String>> {
    let ours = rules::required_finalizer(config.finalizer.as_deref())?;
    if object.meta().deletion_timestamp.is_some() || object.finalizers().iter().any(|other| other == ours) {
        return None;
    }
    let ours = ours.to_owned();
    Some(object.finalizers().iter().cloned().chain([ours]).collect())
}
