//! The permission on Leases is taken away, as a mistake in somebody's RBAC does.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt};
use overlap_checker::records::Stamp;

use crate::harness::Harness;
use crate::wait::{WaitStatus, until};

/// All replicas have to stop, by themselves, and say that they are not ready; with the permission back they go on.
pub(super) async fn permission(harness: &mut Harness) -> Result<()> {
    let namespace = harness.release.namespace.clone();
    let bindings = Api::<RoleBinding>::namespaced(harness.client.clone(), &namespace);
    let binding = lease_binding(harness).await?;
    let name = binding.name_any();
    let from = Stamp::now()?;
    bindings.delete(&name, &DeleteParams::default()).await.context("the RoleBinding stays")?;
    harness.note(format!("RoleBinding {name} is deleted"));
    let stopped = until("every replica to be unready", Duration::from_secs(90), || async {
        let pods = harness.pods().await?;
        let ready = pods.iter().filter(|pod| pod.ready).count();
        Ok(WaitStatus::when(ready == 0, || format!("{ready} are still ready")))
    })
    .await;
    let mut again = binding;
    again.metadata.resource_version = None;
    again.metadata.uid = None;
    again.metadata.managed_fields = None;
    bindings
        .create(&PostParams::default(), &again)
        .await
        .context("the RoleBinding could not be made again")?;
    // The bound counts from here: before, nobody was allowed to hold anything.
    harness.absent_since(from)?;
    stopped?;
    harness.note("RoleBinding is there again".to_owned());
    harness.settle().await
}

/// The binding of the Role that is about Leases.
async fn lease_binding(harness: &Harness) -> Result<RoleBinding> {
    let namespace = &harness.release.namespace;
    let label = ListParams::default().labels(&format!("app.kubernetes.io/instance={}", harness.release.name));
    let roles = Api::<Role>::namespaced(harness.client.clone(), namespace).list(&label).await?;
    let about_leases = |role: &&Role| {
        let mut granted = role.rules.iter().flatten();
        granted.any(|rule| rule.resources.iter().flatten().any(|resource| resource == "leases"))
    };
    let role = roles.iter().find(about_leases).context("the release has no Role about Leases")?;
    let all = Api::<RoleBinding>::namespaced(harness.client.clone(), namespace).list(&label).await?;
    let binding = all.into_iter().find(|binding| binding.role_ref.name == role.name_any());
    binding.with_context(|| format!("Role {} is bound to nobody", role.name_any()))
}
