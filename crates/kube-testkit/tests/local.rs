//! The control plane itself: users, audit log, pause and restart.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use kube_testkit::{ClusterOptions, TestUser};

#[tokio::test]
async fn admin_writes_and_a_stranger_may_not() {
    let Some(env) = kube_testkit::real("RBAC decides").await else { return };
    let maps: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
    maps.create(&PostParams::default(), &config_map("a")).await.expect("an administrator may create");
    let stranger: Api<ConfigMap> = Api::namespaced(env.client(&TestUser::new("stranger")), env.namespace());
    let error = stranger.get("a").await.expect_err("nobody has given the stranger a role");
    assert!(error.to_string().contains("stranger"), "{error}");
}

#[tokio::test]
async fn restart_keeps_data_and_port_and_the_audit_log_names_the_writer() {
    let Some(cluster) = kube_testkit::exclusive("it is restarted", ClusterOptions::default()).await else {
        return;
    };
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    maps.create(&PostParams::default(), &config_map("kept")).await.expect("create");
    let server = cluster.server();
    let started = Instant::now();
    cluster.restart_api_server().await.expect("restart");
    eprintln!("restarted in {:?}", started.elapsed());
    assert_eq!(server, cluster.server());
    maps.get("kept").await.expect("what was written before is there");
    let audit =
        std::fs::read_to_string(cluster.audit_log().expect("audit is on by default")).expect("audit log");
    let event = audit.lines().find(|line| line.contains("\"kept\"")).expect("the write is in the audit log");
    let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
    assert_eq!(event["user"]["username"], TestUser::admin().name());
    assert_eq!(event["verb"], "create");
    assert_eq!(event["stage"], "ResponseComplete");
    assert!(!audit.contains("\"verb\":\"get\""));
    let dir = cluster.dir().path().to_owned();
    cluster.stop().await;
    assert!(!dir.exists(), "{} was left behind", dir.display());
}

#[tokio::test]
async fn a_paused_api_server_answers_nothing_until_it_goes_on() {
    let Some(cluster) = kube_testkit::exclusive("it is paused", ClusterOptions::default()).await else {
        return;
    };
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    cluster.pause_api_server().await.expect("pause");
    let list_params = kube::api::ListParams::default();
    let list = maps.list(&list_params);
    let mut list = std::pin::pin!(list);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut list).await.is_err());
    cluster.resume_api_server().await.expect("resume");
    list.await.expect("the same request is answered now");
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    }
}
