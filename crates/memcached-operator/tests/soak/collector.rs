//! A stand-in for the garbage collector, which runs in the controller-manager.

use std::collections::HashSet;
use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt as _};
use memcached_operator::crd::Memcached;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_millis(1500);

/// Deletes children whose owner is gone. It **stands in** for the garbage collector of a whole cluster: without one, a
/// resource that was deleted and made anew would wait for ever for its predecessor's children to go.
///
/// Ends when it is dropped.
pub(crate) struct CollectorStandIn(JoinHandle<()>);

impl CollectorStandIn {
    pub(crate) fn start(client: Client, namespace: &'static str) -> Self {
        Self(tokio::spawn(async move {
            loop {
                // While the API server restarts there is nothing to be done; the next sweep does it.
                let _ = sweep(&client, namespace).await;
                tokio::time::sleep(EVERY).await;
            }
        }))
    }
}

impl Drop for CollectorStandIn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn sweep(client: &Client, namespace: &str) -> kube::Result<()> {
    let sets = owned::<StatefulSet>(client, namespace).await?;
    let services = owned::<Service>(client, namespace).await?;
    let budgets = owned::<PodDisruptionBudget>(client, namespace).await?;
    // Listed after the children: an owner that is not there is gone for good, as uids never come back.
    let owners: Api<Memcached> = Api::namespaced(client.clone(), namespace);
    let living = owners.list_metadata(&ListParams::default()).await?;
    let living: HashSet<String> = living.into_iter().filter_map(|owner| owner.metadata.uid).collect();
    collect::<StatefulSet>(client, namespace, sets, &living).await?;
    collect::<Service>(client, namespace, services, &living).await?;
    collect::<PodDisruptionBudget>(client, namespace, budgets, &living).await
}

struct Child {
    name: String,
    uid: String,
    owner: String,
}

async fn owned<K>(client: &Client, namespace: &str) -> kube::Result<Vec<Child>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    // From the API server's cache: an old view costs nothing, as each delete names the uid.
    let list = api.list_metadata(&ListParams::default().match_any()).await?;
    let child = |object: kube::core::PartialObjectMeta<K>| {
        let owner = object.owner_references().first()?.uid.clone();
        Some(Child { name: object.name_any(), uid: object.uid()?, owner })
    };
    Ok(list.into_iter().filter_map(child).collect())
}

async fn collect<K>(
    client: &Client,
    namespace: &str,
    children: Vec<Child>,
    living: &HashSet<String>,
) -> kube::Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    for child in children.into_iter().filter(|child| !living.contains(&child.owner)) {
        let only = Preconditions { uid: Some(child.uid), resource_version: None };
        let params = DeleteParams { preconditions: Some(only), ..DeleteParams::background() };
        match api.delete(&child.name, &params).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
