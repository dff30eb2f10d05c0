//! The write of the status, by server-side apply to the subresource.
//!
//! `bucket` is left out: another field manager, the router's, owns it, and an apply removes only what its own manager
//! applied before.

use std::borrow::Cow;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use shard_router::is_conflict;

use crate::crd::{Memcached, MemcachedStatus};
use crate::reconcile::FIELD_MANAGER;
use crate::reconcile::error::ReconcileError;

/// How often a write is tried when the resource keeps changing meanwhile.
const ATTEMPTS: usize = 3;

/// Whether the status differs from what was last seen, the router's part aside.
pub fn needs_writing(memcached: &Memcached, status: &MemcachedStatus) -> bool {
    let before = memcached.status.clone().unwrap_or_default();
    MemcachedStatus { bucket: None, ..before } != *status
}

/// Writes the status to the resource that was seen, and to no namesake. Returns the resource as it is then; `None` if it is
/// gone, and needs no status.
///
/// The status subresource of a custom resource ignores a uid in the body, so the precondition is the version, and the
/// uid is compared here whenever that version is no longer the newest.
///
/// # Errors
///
/// The API server refused, or did not answer in time.
pub async fn write<'a>(
    client: &Client,
    memcached: &'a Memcached,
    status: &MemcachedStatus,
) -> Result<Option<Cow<'a, Memcached>>, ReconcileError> {
    if !needs_writing(memcached, status) {
        return Ok(Some(Cow::Borrowed(memcached)));
    }
    let meta = &memcached.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let api: Api<Memcached> = Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default());
    let mut version = meta.resource_version.clone();
    let mut attempt = 1;
    loop {
        let body = json!({
            "apiVersion": Memcached::api_version(&()),
            "kind": Memcached::kind(&()),
            "metadata": {"name": name, "uid": meta.uid, "resourceVersion": version},
            "status": status,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        match api.patch_status(name, &params, &Patch::Apply(&body)).await {
            Ok(written) => return Ok(Some(Cow::Owned(written))),
            Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(None),
            Err(error) if attempt == ATTEMPTS || !is_conflict(&error) => {
                return Err(ReconcileError::Status(error));
            }
            Err(_) => attempt += 1,
        }
        match api.get_metadata_opt(name).await.map_err(ReconcileError::Status)? {
            Some(newer) if newer.metadata.uid == meta.uid => version = newer.metadata.resource_version,
            _ => return Ok(None),
        }
    }
}
