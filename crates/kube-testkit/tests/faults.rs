//! The proxy in front of a real API server.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams, WatchParams};
use kube::{Api, Client};
use kube_testkit::{RealEnv, TestUser, eventually};

const DEADLINE: Duration = Duration::from_secs(20);
/// Far longer than an answer takes, and short enough to wait for none to come.
const NO_ANSWER: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_answer_can_be_lost_after_the_write_took_effect() {
    let Some(env) = kube_testkit::real("the write takes effect on it").await else { return };
    let proxy = env.proxy().expect("proxy");
    let via: Api<ConfigMap> = through(&env, &proxy);
    let direct: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
    via.create(&PostParams::default(), &config_map("before")).await.expect("the proxy passes everything on");
    proxy.hang_answers();
    let write = tokio::spawn(async move { via.create(&PostParams::default(), &config_map("lost")).await });
    eventually("the write to take effect", DEADLINE, || async {
        direct.get_opt("lost").await.ok().flatten()
    })
    .await;
    assert!(!write.is_finished());
    proxy.cut();
    write.await.expect("no panic").expect_err("its answer was lost");
}

#[tokio::test]
async fn a_watch_can_hang_without_closing() {
    let Some(env) = kube_testkit::real("it is watched").await else { return };
    let proxy = env.proxy().expect("proxy");
    let via: Api<ConfigMap> = through(&env, &proxy);
    let direct: Api<ConfigMap> = Api::namespaced(env.admin(), env.namespace());
    let version =
        direct.list(&kube::api::ListParams::default()).await.expect("list").metadata.resource_version;
    let version = version.expect("a list has a version");
    let watch = via.watch(&WatchParams::default(), &version).await.expect("watch");
    let mut watch = std::pin::pin!(watch);
    proxy.hang_answers();
    direct.create(&PostParams::default(), &config_map("unseen")).await.expect("create");
    assert!(
        tokio::time::timeout(NO_ANSWER, watch.next()).await.is_err(),
        "the watch neither speaks nor ends"
    );
    proxy.resume();
    let event = tokio::time::timeout(DEADLINE, watch.next()).await.expect("the event comes after all");
    assert!(
        matches!(event, Some(Ok(kube::api::WatchEvent::Added(map))) if map.metadata.name.as_deref() == Some("unseen"))
    );
}

#[tokio::test]
async fn kubeconfigs_work_for_other_programs() {
    let Some(env) = kube_testkit::real("kubectl asks it").await else { return };
    let Ok(kubectl) = kube_testkit::binaries::find_kubectl() else {
        println!("skipped the part with kubectl: there is none");
        return;
    };
    let proxy = env.proxy().expect("proxy");
    let admin = TestUser::admin();
    for kubeconfig in [env.kubeconfig(&admin), env.kubeconfig_via(&proxy, &admin)] {
        let mut command = std::process::Command::new(&kubectl);
        command
            .arg("--kubeconfig")
            .arg(kubeconfig.expect("kubeconfig"))
            .args(["auth", "whoami", "-o", "json"]);
        let output = command.output().expect("kubectl runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("system:masters"), "{text} {}", String::from_utf8_lossy(&output.stderr));
    }
}

fn through(env: &RealEnv, proxy: &kube_testkit::Proxy) -> Api<ConfigMap> {
    let client = Client::try_from(env.config_via(proxy, &TestUser::admin())).expect("client");
    Api::namespaced(client, env.namespace())
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    }
}
