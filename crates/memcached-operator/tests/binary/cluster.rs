//! An API server on which the operator is installed as `deploy/` says.

use std::time::Duration;

use kube::Client;
use kube_testkit::{Cluster, ClusterOptions, exclusive};

/// The namespace that `deploy/rbac.yaml` makes.
pub(crate) const NAMESPACE: &str = "memcached-operator";
/// Long enough for anything that should happen at all.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// An API server of the test's own: Leases and rights are cluster-wide matters.
pub(crate) async fn start_cluster(why: &str) -> Option<(Cluster, Client)> {
    start_cluster_with(why, ClusterOptions::default()).await
}

/// The same, started with other options.
pub(crate) async fn start_cluster_with(why: &str, options: ClusterOptions) -> Option<(Cluster, Client)> {
    let cluster = exclusive(why, options).await?;
    let client = cluster.admin();
    fleet::Installation::new(client.clone()).install().await.expect("it can be installed");
    Some((cluster, client))
}
