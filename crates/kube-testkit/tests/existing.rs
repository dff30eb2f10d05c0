//! The `existing` backend, with a control plane of our own in the part of somebody else's cluster.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use kube_testkit::{
    BackendChoice, Cluster, ClusterOptions, ExistingOptions, OperationError, StartError, TestUser,
};

#[tokio::test]
async fn a_context_is_used_only_if_it_is_allowed() {
    let Some(env) = kube_testkit::real("its kubeconfig is used").await else { return };
    let kubeconfig = env.kubeconfig(&TestUser::admin()).expect("kubeconfig");
    let refused = Cluster::start(options(&kubeconfig, None)).await.expect_err("nobody has allowed it");
    assert!(matches!(refused, StartError::ContextNotAllowed { .. }), "{refused}");
    let cluster = Cluster::start(options(&kubeconfig, Some("kube-testkit"))).await.expect("it is allowed");
    assert_eq!(cluster.backend(), BackendChoice::Existing);
    Api::<ConfigMap>::all(cluster.admin())
        .list(&ListParams::default())
        .await
        .expect("the administrator may list");
    let stranger = Api::<ConfigMap>::all(cluster.client(&TestUser::new("stranger")));
    let error = stranger.list(&ListParams::default()).await.expect_err("the stranger may not");
    assert!(error.to_string().contains("stranger"), "{error}");
    assert!(cluster.audit_log().is_none());
    let error = cluster.restart_api_server().await.expect_err("it is somebody else's");
    assert!(matches!(error, OperationError::Unsupported { .. }), "{error}");
}

fn options(kubeconfig: &std::path::Path, allow: Option<&str>) -> ClusterOptions {
    let existing = ExistingOptions {
        kubeconfig: Some(kubeconfig.to_owned()),
        context: None,
        allow_context: Some(allow.unwrap_or_default().to_owned()),
    };
    ClusterOptions { backend: Some(BackendChoice::Existing), existing, ..ClusterOptions::default() }
}
