//! The two writes of a stamp.

use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
    core::ObjectMeta,
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
    /// The finalizer to add with the label if [`finalizer`](Self::finalizer) requires it. The owner of a deleted object removes it whatever
    /// the settings are now, as it may date from a time with a key label.
    pub(crate) owner_finalizer: String,
}

impl StampConfig {
    pub(crate) fn new(names: &Names, key_label: Option<String>) -> Self {
        Self { bucket_label: names.bucket_label(), key_label, owner_finalizer: names.owner_finalizer() }
    }

    /// The finalizer that an object with this bucket in its status must have: it is needed where a namesake could fall into another
    /// bucket. That is so with a key label, and for buckets that were recorded when there was one.
    pub(crate) fn finalizer(&self, meta: &ObjectMeta, recorded: Option<u8>) -> Option<&str> {
        let named = ShardKey::of(meta, None).bucket();
        let needed = self.key_label.is_some() || recorded.is_some_and(|bucket| Bucket(bucket) != named);
        needed.then_some(&*self.owner_finalizer)
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
/// Returns the object as it is then.
pub(super) async fn stamp<K: Sharded>(
    api: &Api<Lenient<K>>,
    config: &StampConfig,
    object: &Lenient<K>,
) -> Result<Lenient<K>, StampError> {
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
    Ok(api.patch(&name, &params, &Patch::Merge(json!({ "metadata": metadata }))).await?)
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

/// Why a stamp failed.
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
    let ours = rules::required_finalizer(config.finalizer(object.meta(), object.recorded_bucket()))?;
    if object.meta().deletion_timestamp.is_some() || object.finalizers().iter().any(|other| other == ours) {
        return None;
    }
    let ours = ours.to_owned();
    Some(object.finalizers().iter().cloned().chain([ours]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(key_label: Option<&str>) -> StampConfig {
        StampConfig {
            bucket_label: "b".into(),
            key_label: key_label.map(Into::into),
            owner_finalizer: "owner".into(),
        }
    }

    #[test]
    fn the_finalizer_is_needed_where_a_namesake_could_fall_into_another_bucket() {
        let meta = ObjectMeta {
            namespace: Some("ns".into()),
            name: Some("cache".into()),
            labels: Some([("tenant".to_owned(), "blue".to_owned())].into()),
            ..ObjectMeta::default()
        };
        let named = ShardKey::of(&meta, None).bucket().0;
        let keyed = ShardKey::of(&meta, Some("tenant")).bucket().0;
        assert_ne!(named, keyed);
        for recorded in [None, Some(named), Some(keyed)] {
            assert_eq!(config(Some("tenant")).finalizer(&meta, recorded), Some("owner"));
        }
        assert_eq!(config(None).finalizer(&meta, None), None);
        assert_eq!(config(None).finalizer(&meta, Some(named)), None);
        // Recorded while there was a key label, which has been switched off since.
        assert_eq!(config(None).finalizer(&meta, Some(keyed)), Some("owner"));
    }
}
