//! The write of the status, by server-side apply to the subresource.
//!
//! `bucket` is left out: another field manager, the router's, owns it, and an apply removes only what its own manager
//! applied before.

use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;

use crate::crd::{Memcached, MemcachedStatus};
use crate::reconcile::FIELD_MANAGER;
use crate::reconcile::error::ReconcileError;

/// Whether the status differs from what was last seen, the router's part aside.
pub fn needs_writing(memcached: &Memcached, status: &MemcachedStatus) -> bool {
    let before = memcached.status.clone().unwrap_or_default();
    MemcachedStatus { bucket: None, ..before } != *status
}

/// Writes the status to the resource of this uid, and to no namesake. Says whether it wrote; a resource that is gone
/// needs no status.
pub async fn write(
    client: &Client,
    memcached: &Memcached,
    status: &MemcachedStatus,
) -> Result<bool, ReconcileError> {
    if !needs_writing(memcached, status) {
        return Ok(false);
    }
    let meta = &memcached.metadata;
    let name = meta.name.as_deref().unwrap_or_default();
    let api: Api<Memcached> = Api::namespaced(client.clone(), meta.namespace.as_deref().unwrap_or_default());
    let body = json!({
        "apiVersion": Memcached::api_version(&()),
        "kind": Memcached::kind(&()),
        "metadata": {"name": name, "uid": meta.uid},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(name, &params, &Patch::Apply(&body)).await.map_err(ReconcileError::Status) {
        Ok(_) => Ok(true),
        Err(error) if error.is_moot() => Ok(false),
        Err(error) => Err(error),
    }
}
