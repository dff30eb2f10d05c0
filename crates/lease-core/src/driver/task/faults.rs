//! Faulty writes of a Lease. Only with the feature `mutants`; see [`crate::mutants`].

use std::ops::ControlFlow;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};

use crate::driver::lease_api::LeaseApi;
use crate::driver::request_error::RequestError;
use crate::effect::{Write, WriteKind};
use crate::mutants::{Mutant, active};
use crate::name::LeaseName;

/// Sends the write without preconditions, or without one of them.
pub(super) async fn send(
    api: &LeaseApi,
    name: &LeaseName,
    write: &Write,
    mut lease: Lease,
) -> ControlFlow<Result<Lease, RequestError>, Lease> {
    let blind = active(Mutant::TakeoverWithoutVersion) && write.kind == WriteKind::Acquire
        || active(Mutant::ReleaseUnseen) && write.kind == WriteKind::Release;
    if active(Mutant::UpdateWithoutUid) {
        lease.metadata.uid = None;
    }
    if blind && write.base.is_some() {
        ControlFlow::Break(patch_whatever_is_there(api, name, lease).await)
    } else {
        ControlFlow::Continue(lease)
    }
}

/// As in a published crate: if two candidates race for an expired Lease, both get a 200.
async fn patch_whatever_is_there(
    api: &LeaseApi,
    name: &LeaseName,
    lease: Lease,
) -> Result<Lease, RequestError> {
    let mut object = api.encode(lease)?;
    object.metadata.resource_version = None;
    object.metadata.uid = None;
    let params = PatchParams::default();
    let patch = Patch::Merge(&object);
    let patched = api.bounded("patch", api.kube().patch(name.as_str(), &params, &patch)).await;
    patched.map(|object| api.decode(object))
}
