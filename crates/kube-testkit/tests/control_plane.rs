//! What every control plane of our own has to do: users, audit log, pause, restart, and to go without a trace.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, Resource as _};
use kube_testkit::{BackendChoice, Cluster, ClusterOptions, StartError, TestUser, eventually};

/// Far longer than an answer takes, and short enough to wait for none to come.
const NO_ANSWER: Duration = Duration::from_millis(300);

#[tokio::test]
async fn local() {
    check(BackendChoice::Local).await;
}

#[tokio::test]
async fn testcontainers() {
    check(BackendChoice::Testcontainers).await;
}

#[tokio::test]
async fn embedded() {
    let options = ClusterOptions { backend: Some(BackendChoice::Embedded), ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await.expect("it needs nothing");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    maps.create(&PostParams::default(), &config_map("kept")).await.expect("create");
    pause_holds_answers_back(&cluster, &maps).await;
    cluster.restart_api_server().await.expect("restart");
    maps.get("kept").await.expect("what was written before is there");
    // Nobody is authenticated there.
    the_audit_log_names_the_writer(&cluster, "system:anonymous");
    let dir = cluster.dir().path().to_owned();
    cluster.stop().await;
    assert!(!dir.exists(), "{} was left behind", dir.display());
}

#[tokio::test]
async fn one_that_cannot_start_says_why_at_once() {
    for backend in [BackendChoice::Local, BackendChoice::Testcontainers] {
        let api_server_args = vec!["--no-such-flag".into()];
        let options = ClusterOptions { backend: Some(backend), api_server_args, ..ClusterOptions::default() };
        let error = Cluster::start(options).await.expect_err("the API server knows no such flag");
        if error.is_unavailable() {
            continue;
        }
        let StartError::NotReady { waited, ref last, ref tail, .. } = error else { panic!("{error}") };
        assert!(waited < Duration::from_secs(30), "waited {waited:?} for a program that had ended");
        assert!(last.contains("kube-apiserver") && last.contains("exit code 1"), "{last}");
        assert!(tail.contains("no-such-flag"), "{error}");
    }
}

#[tokio::test]
async fn the_shared_one_gives_each_test_a_namespace() {
    let Some(first) = kube_testkit::real("it has namespaces").await else { return };
    let Some(second) = kube_testkit::real("it has namespaces").await else { return };
    assert_eq!(first.server(), second.server());
    assert_ne!(first.namespace(), second.namespace());
    let maps: Api<ConfigMap> = Api::namespaced(first.admin(), first.namespace());
    maps.create(&PostParams::default(), &config_map("a")).await.expect("the namespace is there");
}

#[tokio::test]
async fn the_embedded_one_collects_garbage_where_asked() {
    let backend = Some(BackendChoice::Embedded);
    let options = ClusterOptions { backend, garbage_collection: true, ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await.expect("it needs nothing");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    let owner = maps.create(&PostParams::default(), &config_map("owner")).await.expect("create");
    let mut child = config_map("child");
    child.metadata.owner_references = Some(vec![owner.owner_ref(&()).expect("it is there")]);
    maps.create(&PostParams::default(), &child).await.expect("create");
    maps.delete("owner", &DeleteParams::background()).await.expect("delete");
    let gone = || async { maps.get_opt("child").await.expect("an answer").is_none().then_some(()) };
    eventually("what lost its owner to be gone", Duration::from_secs(30), gone).await;
}

/// One start for all of it, as starting takes longer than everything else.
async fn check(backend: BackendChoice) {
    let options = ClusterOptions { backend: Some(backend), ..ClusterOptions::default() };
    let Some(cluster) = kube_testkit::exclusive("it is paused and restarted", options).await else { return };
    assert_eq!(cluster.backend(), backend);
    let maps: Api<ConfigMap> = Api::namespaced(cluster.admin(), "default");
    maps.create(&PostParams::default(), &config_map("kept")).await.expect("an administrator may create");
    a_stranger_may_not(&cluster).await;
    pause_holds_answers_back(&cluster, &maps).await;
    let server = cluster.server();
    cluster.restart_api_server().await.expect("restart");
    assert_eq!(server, cluster.server());
    maps.get("kept").await.expect("what was written before is there");
    the_audit_log_names_the_writer(&cluster, TestUser::admin().name());
    let dir = cluster.dir().path().to_owned();
    cluster.stop().await;
    assert!(!dir.exists(), "{} was left behind", dir.display());
}

async fn a_stranger_may_not(cluster: &Cluster) {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client(&TestUser::new("stranger")), "default");
    let error = maps.get("kept").await.expect_err("nobody has given the stranger a role");
    assert!(error.to_string().contains("stranger"), "{error}");
}

async fn pause_holds_answers_back(cluster: &Cluster, maps: &Api<ConfigMap>) {
    cluster.pause_api_server().await.expect("pause");
    let params = ListParams::default();
    let mut list = std::pin::pin!(maps.list(&params));
    assert!(tokio::time::timeout(NO_ANSWER, &mut list).await.is_err());
    cluster.resume_api_server().await.expect("resume");
    list.await.expect("the same request is answered now");
}

fn the_audit_log_names_the_writer(cluster: &Cluster, user: &str) {
    let audit =
        std::fs::read_to_string(cluster.audit_log().expect("audit is on by default")).expect("audit log");
    let event = audit.lines().find(|line| line.contains("\"kept\"")).expect("the write is in the audit log");
    let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
    assert_eq!(event["user"]["username"], user);
    assert_eq!((&event["verb"], &event["stage"]), (&"create".into(), &"ResponseComplete".into()));
    assert!(!audit.contains("\"verb\":\"get\""), "reads are left out");
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    }
}
