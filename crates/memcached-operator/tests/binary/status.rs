//! `memcached-operator status` beside running replicas, which is also `kubectl shards`.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::PostParams;
use kube::{Api, Client};
use kube_testkit::{BackendChoice, Cluster, ClusterOptions, TestUser, WorkloadStandIn, eventually};
use memcached_operator::crd::Memcached;
use serde_json::{Value, json};

use crate::cluster::{NAMESPACE, SOON, start_cluster};
use crate::replica::Replica;
use crate::work::{becomes_ready, create};

const PROGRAM: &str = env!("CARGO_BIN_EXE_memcached-operator");

/// Runs the command as this user.
struct Person {
    kubeconfig: PathBuf,
}

impl Person {
    fn new(cluster: &Cluster, user: &TestUser) -> Self {
        Self { kubeconfig: cluster.kubeconfig(user).expect("a kubeconfig") }
    }

    fn run(&self, program: impl AsRef<Path>, args: &[&str]) -> Output {
        let mut command = Command::new(program.as_ref());
        command.args(args).args(["--namespace", NAMESPACE]).env("KUBECONFIG", &self.kubeconfig);
        command.output().expect("the program runs")
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.run(PROGRAM, &["status", "-o", "json"]).stdout).ok()
    }

    /// Waits until the status is like this.
    async fn sees(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(what, SOON, async || self.json().filter(&is)).await
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// For each shard, whether it is held, by which Pod, and why.
fn shards(status: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shards = status["shards"].as_array().expect("shards");
    let of = |shard: &Value| {
        let pod = text(&shard["holder"]).split('_').next().unwrap_or_default().to_owned();
        (text(&shard["state"]), pod, text(&shard["takeover"]["reason"]))
    };
    shards.iter().map(of).collect()
}

fn all_are_held_by(status: &Value, pods: &[&str]) -> bool {
    let holders: BTreeSet<_> = shards(status).into_iter().map(|(state, pod, _)| (state, pod)).collect();
    holders == pods.iter().map(|pod| ("held".to_owned(), (*pod).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_who_holds_what_and_why_from_the_first_replica_to_the_last() {
    let options = ClusterOptions { backend: Some(BackendChoice::Embedded), ..ClusterOptions::default() };
    let cluster = Cluster::start(options).await.expect("it needs nothing");
    let client = cluster.admin();
    let installation = fleet::Installation::new(client.clone()).replicas_as_users(NAMESPACE);
    installation.access_control(false).install().await.expect("installed");
    let person = Person::new(&cluster, &TestUser::admin());

    let nothing = person.run(PROGRAM, &["status"]);
    assert_eq!(nothing.status.code(), Some(2));
    let sentence = text(&nothing.stderr);
    assert!(sentence.starts_with("error: no Lease in namespace memcached-operator belongs to"), "{sentence}");
    assert!(nothing.stdout.is_empty());

    let fleets: Api<Memcached> = Api::default_namespaced(client.clone());
    for number in 0..7 {
        create(&fleets, &format!("fleet-{number}"), 1).await;
    }
    let mut first = Replica::start(&cluster, "op-0", &["--shards=4"]);
    let status =
        person.sees("one replica to hold everything", |status| all_are_held_by(status, &["op-0"])).await;
    for (_, _, reason) in shards(&status) {
        assert!(["created", "released"].contains(&reason.as_str()), "a first holder: {status:#}");
    }
    let mut second = Replica::start(&cluster, "op-1", &["--shards=4"]);
    let shared = |status: &Value| all_are_held_by(status, &["op-0", "op-1"]);
    let status = person.sees("the second to get its share", shared).await;
    let of_second: Vec<_> = shards(&status).into_iter().filter(|(_, pod, _)| pod == "op-1").collect();
    assert!(of_second.iter().all(|(_, _, reason)| reason == "handed-over"), "{status:#}");
    assert!(
        status["shards"].as_array().is_some_and(|shards| shards.iter().all(|shard| {
            shard["holder"].as_str().is_some_and(|holder| holder.starts_with("op-0"))
                || shard["takeover"]["from"].as_str().is_some_and(|from| from.starts_with("op-0_"))
        })),
        "from whom: {status:#}"
    );
    let members = status["members"].as_array().expect("members");
    assert_eq!(members.len(), 2);
    for member in members {
        assert_eq!(member["version"], concat!("memcached-operator/", env!("CARGO_PKG_VERSION")));
        assert_eq!((&member["state"], &member["watchedNamespaces"]), (&json!("alive"), &json!("*")));
    }
    let counted = |status: &Value| {
        let count = |shard: &Value| shard["resources"]["Memcached.cache.example.com"].as_u64();
        status["shards"].as_array().expect("shards").iter().filter_map(count).sum::<u64>()
    };
    person.sees("seven resources in the shards", |status| counted(status) == 7).await;

    // As kubectl finds and calls it.
    let plugin = cluster.dir().path().join("kubectl-shards");
    symlink(PROGRAM, &plugin).expect("a link");
    let table = person.run(&plugin, &["-o", "wide"]);
    assert_eq!(table.status.code(), Some(0), "{}", text(&table.stderr));
    let table = text(&table.stdout);
    assert!(
        table.contains("SHARD   STATE") && table.contains("MEMBER") && table.contains("op-1_"),
        "{table}"
    );

    first.kill();
    first.exit().await;
    let status = person.sees("the second to take over", |status| all_are_held_by(status, &["op-1"])).await;
    let reasons: BTreeSet<_> = shards(&status).into_iter().map(|(_, _, reason)| reason).collect();
    assert_eq!(reasons, BTreeSet::from(["expired", "handed-over"].map(str::to_owned)), "{status:#}");
    println!("{}", text(&person.run(PROGRAM, &["status"]).stdout));
    second.terminate();
    second.exit().await;
    let after = person.run(PROGRAM, &["status"]);
    assert_eq!(after.status.code(), Some(1), "nobody is left: {}", text(&after.stdout));
    assert_eq!(text(&after.stdout).matches("Free").count(), 4, "{}", text(&after.stdout));
}

#[tokio::test]
async fn what_a_person_may_not_see_is_told() {
    let Some((cluster, client)) = start_cluster("RBAC is enforced by the API server").await else { return };
    let _servers = WorkloadStandIn::start(client.clone(), Duration::ZERO);
    let _replica = Replica::start(&cluster, "op-0", &["--shards=2"]);
    let fleets: Api<Memcached> = Api::default_namespaced(client.clone());
    create(&fleets, "fleet", 1).await;
    becomes_ready(&fleets, "fleet", "1/1").await;
    let jane = Person::new(&cluster, &TestUser::new("jane"));

    let nothing = jane.run(PROGRAM, &["status"]);
    let sentence = text(&nothing.stderr);
    assert_eq!(nothing.status.code(), Some(2), "{sentence}");
    assert!(
        sentence.starts_with(
            "error: jane may not list leases.coordination.k8s.io in namespace memcached-operator; grant it"
        ),
        "{sentence}"
    );

    bind(&client, "memcached-operator-status-leases").await;
    let leases_only = eventually("jane to see the Leases", SOON, async || {
        Some(jane.run(PROGRAM, &["status"])).filter(|output| output.status.code() == Some(0))
    })
    .await;
    let warning = text(&leases_only.stderr);
    assert!(
        warning.starts_with("warning: jane may not list memcacheds.cache.example.com in all namespaces"),
        "{warning}"
    );
    let without = jane.run(PROGRAM, &["status", "--resources=false"]);
    assert_eq!((without.status.code(), text(&without.stderr).as_str()), (Some(0), ""));

    bind(&client, "memcached-operator-status").await;
    eventually("jane to see everything", SOON, async || {
        let status = jane.json()?;
        (status["kinds"][0]["total"] == 1 && status["problems"] == json!([])).then_some(())
    })
    .await;

    // The replica's own rights are enough, as by `kubectl exec`.
    let itself = TestUser::service_account(NAMESPACE, "memcached-operator");
    let output = Person::new(&cluster, &itself).run(PROGRAM, &["status", "-o", "json"]);
    let status: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    assert_eq!(status["kinds"][0]["total"], 1, "{status:#}");
    assert_eq!(status["problems"], json!([]));
}

/// Gives jane one of the roles that `deploy/rbac.yaml` has for people.
async fn bind(client: &Client, role: &str) {
    let group = "rbac.authorization.k8s.io";
    let subjects = json!([{"apiGroup": group, "kind": "User", "name": "jane"}]);
    let binding = |kind: &str| {
        json!({
            "metadata": {"name": role}, "roleRef": {"apiGroup": group, "kind": kind, "name": role}, "subjects": subjects,
        })
    };
    let params = PostParams::default();
    if role.ends_with("-leases") {
        let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), NAMESPACE);
        bindings
            .create(&params, &serde_json::from_value(binding("Role")).expect("a binding"))
            .await
            .expect("bound");
    } else {
        let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
        let binding = serde_json::from_value(binding("ClusterRole")).expect("a binding");
        bindings.create(&params, &binding).await.expect("bound");
    }
}

#[test]
fn no_answer_and_no_kubeconfig_are_sentences() {
    let dir = tempfile::tempdir().expect("a directory");
    let kubeconfig = dir.path().join("kubeconfig");
    let text_of = |server: &str| {
        let cluster = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}]});
        std::fs::write(&kubeconfig, cluster.to_string()).expect("written");
        let output = Command::new(PROGRAM)
            .args(["status", "--request-timeout=1s", "--kubeconfig"])
            .arg(&kubeconfig)
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(2));
        text(&output.stderr)
    };
    // It accepts connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let said = text_of(&format!("http://{address}"));
    assert!(said.starts_with("error: the API server did not answer within 1 s;"), "{said}");
    assert!(said.contains(&format!("(API server http://{address}/)")), "{said}");
    drop(silent);
    let said = text_of(&format!("http://{address}"));
    assert!(said.starts_with("error: leases.coordination.k8s.io could not be listed:"), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");

    let output =
        Command::new(PROGRAM).args(["status", "--kubeconfig=/nonexistent/config"]).output().expect("it runs");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: the kubeconfig cannot be used:"), "{said}");
}
