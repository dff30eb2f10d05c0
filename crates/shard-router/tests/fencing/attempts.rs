//! Who tries to write, and what. Nothing is written: each attempt is a dry run.

use k8s_openapi::api::{coordination::v1::Lease, core::v1::Service, rbac::v1::Role};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams},
    core::NamespaceResourceScope,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use shard_router::fencing::{OwnershipTable, RowKey};

use crate::{
    installation::{ID, Installation, Replica, bucket, service},
    widget::{LABEL, Widget, create},
};

/// Bucket 7 belongs to `owner`, bucket 8 and the work of the coordinator to `other`, bucket 9 to nobody.
pub(crate) struct Scene {
    pub(crate) at: Installation,
    pub(crate) owner: Replica,
    pub(crate) other: Replica,
    pub(crate) namesake: Replica,
    pub(crate) unbound: Client,
}

impl Scene {
    pub(crate) async fn new() -> Option<Self> {
        let at = Installation::new().await?;
        let (owner, other) = (at.replica("pod-a").await, at.replica("pod-b").await);
        let unbound = at.unbound().await;
        // Deleted and made anew under its name, as in a StatefulSet.
        let namesake = {
            let gone = at.replica("pod-c").await;
            let pods: Api<k8s_openapi::api::core::v1::Pod> = at.api(&at.env.admin());
            let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
            pods.delete("pod-c", &now).await.unwrap();
            (gone, at.replica("pod-c").await)
        };
        let (gone, namesake) = namesake;
        at.table(&[
            (bucket(7), owner.row(10)),
            (bucket(8), other.row(10)),
            (bucket(10), gone.row(10)),
            (RowKey::Stamping, other.row(10)),
            (RowKey::Coordinator, other.row(10)),
        ])
        .await;
        let widgets: Api<Widget> = at.api(&at.env.admin());
        for (name, label) in [("w7", "7"), ("w8", "8"), ("w9", "9"), ("w10", "10"), ("odd", "many")] {
            create(&widgets, name, &[(LABEL, label)]).await;
        }
        create(&widgets, "bare", &[]).await;
        let services: Api<Service> = at.api(&at.env.admin());
        for (name, label) in [("s7", Some("7")), ("s8", Some("8")), ("s9", Some("9")), ("bare", None)] {
            services.create(&PostParams::default(), &service(name, label)).await.unwrap();
        }
        Some(Self { at, owner, other, namesake, unbound })
    }

    pub(crate) async fn status(&self, by: &Client, name: &str) -> Result<(), kube::Error> {
        let patch = Patch::Merge(json!({"status": {"bucket": null}}));
        self.at.api::<Widget>(by).patch_status(name, &dry(), &patch).await.map(drop)
    }

    pub(crate) async fn child_status(&self, by: &Client, name: &str) -> Result<(), kube::Error> {
        let patch = Patch::Merge(json!({"status": {"loadBalancer": {}}}));
        self.at.api::<Service>(by).patch_status(name, &dry(), &patch).await.map(drop)
    }

    pub(crate) async fn finalizer(&self, by: &Client, name: &str) -> Result<(), kube::Error> {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": ["test.shard-router.dev/f"]}}));
        self.at.api::<Widget>(by).patch(name, &dry(), &patch).await.map(drop)
    }

    pub(crate) async fn relabel<K>(&self, by: &Client, name: &str, labels: &Value) -> Result<(), kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        self.at.api::<K>(by).patch(name, &dry(), &patch).await.map(drop)
    }

    pub(crate) async fn delete<K>(&self, by: &Client, name: &str) -> Result<(), kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let params = DeleteParams { dry_run: true, ..DeleteParams::default() };
        self.at.api::<K>(by).delete(name, &params).await.map(drop)
    }

    pub(crate) async fn service(&self, by: &Client, bucket: Option<&str>) -> Result<(), kube::Error> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        self.at.api::<Service>(by).create(&params, &service("new", bucket)).await.map(drop)
    }

    pub(crate) async fn apply_service(
        &self,
        by: &Client,
        name: &str,
        bucket: &str,
    ) -> Result<(), kube::Error> {
        let params = PatchParams { dry_run: true, ..PatchParams::apply("operator") };
        let patch = Patch::Apply(service(name, Some(bucket)));
        self.at.api::<Service>(by).patch(name, &params, &patch).await.map(drop)
    }

    pub(crate) async fn role(&self, by: &Client) -> Result<(), kube::Error> {
        let roles: Api<Role> = self.at.api(&self.at.env.admin());
        if roles.get_opt("unsharded").await?.is_none() {
            let role = serde_json::from_value(json!({"metadata": {"name": "unsharded"}})).unwrap();
            roles.create(&PostParams::default(), &role).await?;
        }
        self.relabel::<Role>(by, "unsharded", &json!({"a": "b"})).await
    }

    pub(crate) async fn lease(&self, by: &Client) -> Result<(), kube::Error> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let lease =
            serde_json::from_value(json!({"metadata": {"name": "l", "labels": {LABEL: "8"}}})).unwrap();
        self.at.api::<Lease>(by).create(&params, &lease).await.map(drop)
    }

    pub(crate) async fn row(&self, by: &Client, row: &Value) -> Result<(), kube::Error> {
        let patch = Patch::Merge(json!({"spec": {"rows": {"7": row}}}));
        self.at.api::<OwnershipTable>(by).patch(ID, &dry(), &patch).await.map(drop)
    }

    pub(crate) async fn second_table(&self, by: &Client, of: &Replica) -> Result<(), kube::Error> {
        let mut table = self.at.tables.get(ID).await?;
        table.metadata = kube::core::ObjectMeta { name: Some("second".to_owned()), ..Default::default() };
        table.spec.rows = [("1".to_owned(), of.row(1))].into();
        let params = PostParams { dry_run: true, ..PostParams::default() };
        self.at.api::<OwnershipTable>(by).create(&params, &table).await.map(drop)
    }
}

fn dry() -> PatchParams {
    PatchParams { dry_run: true, ..PatchParams::default() }
}
