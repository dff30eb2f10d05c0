//! What is missing is said in words.

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube_testkit::eventually;

use crate::cluster::{NAMESPACE, SOON, start_cluster};
use crate::replica::Replica;

#[tokio::test]
async fn a_missing_right_is_named_and_waited_for() {
    let Some((cluster, client)) = start_cluster("RBAC is enforced by the API server").await else { return };
    let bindings: Api<RoleBinding> = Api::namespaced(client, NAMESPACE);
    let binding = bindings.list(&ListParams::default()).await.expect("listed").items.remove(0);
    let name = binding.metadata.name.clone().expect("a name");
    bindings.delete(&name, &DeleteParams::default()).await.expect("deleted");
    let mut replica = Replica::start(&cluster, "op-0", &["--shards=2"]);
    let body = replica.answers_readiness(503, "may not").await;
    for phrase in
        ["memcached-operator:memcached-operator", "leases", "namespace memcached-operator", "grant it"]
    {
        assert!(body.contains(phrase), "{phrase:?} is missing in {body}");
    }

    let again = RoleBinding { metadata: ObjectMeta { name: Some(name), ..ObjectMeta::default() }, ..binding };
    bindings.create(&PostParams::default(), &again).await.expect("granted");
    replica.answers_readiness(200, "ready").await;
    replica.terminate();
    eventually("the replica to end", SOON, || async { replica.log().contains("stopped").then_some(()) })
        .await;
    replica.exit().await;
}
