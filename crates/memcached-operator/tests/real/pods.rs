//! Pods that cannot be created or started. There is no controller-manager and no kubelet, so the tests write what these would.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::api::rbac::v1::{ClusterRole, Role, RoleBinding};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use kube::{Client, Resource as _};
use kube_testkit::{TestUser, WorkloadStandIn, eventually};
use lease_core::{Clock, Now, SystemClock};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::status::condition;
use memcached_operator::reconcile::{MemcachedReconciler, fetch};
use serde_json::{Value, json};

use crate::support::{Harness, harness};

const SOON: Duration = Duration::from_secs(30);

/// Stands still until the test moves it.
#[derive(Debug)]
struct ByHand(Mutex<Timestamp>);

impl Clock for ByHand {
    fn now(&self) -> Now {
        SystemClock.now()
    }

    fn wall(&self) -> Timestamp {
        *self.0.lock().expect("no panic")
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(span)
    }
}

/// A Memcached of two servers, of which nobody has made any.
struct Servers {
    harness: Harness,
    clock: Arc<ByHand>,
    reconciler: MemcachedReconciler,
    set: StatefulSet,
}

impl Servers {
    async fn begin(why: &str) -> Option<Self> {
        let harness = harness(why).await?;
        let clock = Arc::new(ByHand(Mutex::new(SystemClock.wall())));
        let reconciler = MemcachedReconciler::new("tests_1").with_clock(clock.clone());
        harness.create("web", json!({"replicas": 2})).await.expect("created");
        let mut servers = Self { harness, clock, reconciler, set: StatefulSet::default() };
        assert_eq!(
            servers.reconcile().await,
            Action::requeue(Duration::from_secs(20)),
            "nobody watches Pods"
        );
        servers.set = servers.harness.api().get("web").await.expect("it was applied");
        Some(servers)
    }

    fn pass(&self, seconds: u64) {
        *self.clock.0.lock().expect("no panic") += Duration::from_secs(seconds);
    }

    async fn reconcile(&self) -> Action {
        self.reconcile_by(&self.harness.client).await
    }

    async fn reconcile_by(&self, client: &Client) -> Action {
        let bucket = ("cache.example.com/bucket".to_owned(), "17".to_owned());
        let seen = self.resource().await;
        let children = fetch::children(client, &seen, self.reconciler.applier()).await;
        Box::pin(self.reconciler.run(&seen, children, client, Some(&bucket), 0)).await.expect("reconciled")
    }

    async fn resource(&self) -> Memcached {
        self.harness.api().get("web").await.expect("the Memcached is there")
    }

    /// Writes a Pod with this status; `owner` is the uid of its StatefulSet.
    async fn pod(&self, name: &str, owner: &str, status: impl Into<Value>) {
        let pod = json!({
            "metadata": {
                "name": name, "labels": {"cache.example.com/memcached": "web"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": owner,
                    "controller": true}],
            },
            "spec": {"containers": [{"name": "memcached", "image": "memcached:none"}]},
        });
        let pod = serde_json::from_value(pod).expect("a Pod");
        let pods = self.harness.api::<Pod>();
        pods.create(&PostParams::default(), &pod).await.expect("created");
        let status = Patch::Merge(json!({ "status": status.into() }));
        pods.patch_status(name, &PatchParams::default(), &status).await.expect("told");
    }

    /// Writes an event as the StatefulSet controller does.
    async fn refusal(&self, name: &str, owner: &str, at: Timestamp, why: &str) {
        let event = json!({
            "metadata": {"name": name},
            "involvedObject": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web", "uid": owner,
                "namespace": self.harness.env.namespace()},
            "reason": "FailedCreate", "type": "Warning", "count": 1, "firstTimestamp": at.to_string(),
            "lastTimestamp": at.to_string(), "source": {"component": "statefulset-controller"},
            "message": format!("create Pod web-0 in StatefulSet web failed error: {why}"),
        });
        let event = serde_json::from_value(event).expect("an Event");
        self.harness.api::<Event>().create(&PostParams::default(), &event).await.expect("created");
    }

    fn uid(&self) -> &str {
        self.set.metadata.uid.as_deref().expect("a uid")
    }

    /// Status, reason and message of a condition.
    async fn told(&self, type_: &str) -> (String, String, String) {
        let status = self.harness.status("web").await;
        let found = condition(&status.conditions, type_).expect("it was told").clone();
        (found.status, found.reason, found.message)
    }
}

fn cannot_be_pulled() -> Value {
    json!({"phase": "Pending", "containerStatuses": [{
        "name": "memcached", "image": "memcached:none", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
    }]})
}

#[tokio::test]
async fn pods_that_cannot_be_started_are_told_once_the_wait_is_long_and_so_is_their_recovery() {
    let Some(servers) = Servers::begin("the API server selects Pods").await else { return };
    servers.pod("web-0", "11111111-0000-4000-8000-000000000000", cannot_be_pulled()).await;
    servers.pod("web-1", servers.uid(), cannot_be_pulled()).await;
    servers.reconcile().await;
    assert_eq!(servers.told("Degraded").await.0, "False", "they may still become ready");

    servers.pass(21);
    assert_eq!(servers.reconcile().await, Action::requeue(Duration::from_secs(20)));
    let sentence = "Image memcached:none of container memcached of Pod web-1 cannot be pulled; the events of the Pod say why.";
    for (type_, status) in [("Ready", "False"), ("Degraded", "True")] {
        let told = servers.told(type_).await;
        assert_eq!(told, (status.into(), "ImagePullBackOff".into(), sentence.into()), "{type_}");
    }
    assert_eq!(servers.told("Reconciling").await.0, "True");

    servers.pass(3600);
    let before = servers.resource().await.metadata.resource_version;
    assert_eq!(servers.reconcile().await, Action::requeue(Duration::from_mins(5)), "the longest pause");
    assert_eq!(servers.resource().await.metadata.resource_version, before, "the same failure is no news");

    let _kubelet = WorkloadStandIn::start_in(
        servers.harness.client.clone(),
        servers.harness.env.namespace(),
        Duration::ZERO,
    );
    eventually("the servers to be ready", SOON, || async {
        let status = servers.harness.api::<StatefulSet>().get("web").await.ok()?.status?;
        (status.ready_replicas == Some(2)).then_some(())
    })
    .await;
    assert_eq!(servers.reconcile().await, Action::await_change(), "nothing is left to look for");
    assert_eq!(
        (servers.told("Ready").await.0, servers.told("Degraded").await.0),
        ("True".into(), "False".into())
    );
    assert_eq!(servers.harness.events("web").await, ["Created", "ImagePullBackOff", "Recovered"]);
}

#[tokio::test]
async fn pods_that_cannot_be_created_are_told_in_the_words_of_the_api_server() {
    let Some(servers) = Servers::begin("the API server selects events by fields").await else { return };
    let now = SystemClock.wall();
    let quota = "pods \"web-0\" is forbidden: exceeded quota: none";
    servers.refusal("web.other", "11111111-0000-4000-8000-000000000000", now, "of a predecessor").await;
    // When it was made counts as well, so that is long ago here.
    servers.pass(3600);
    servers.reconcile().await;
    assert_eq!(servers.told("Degraded").await.0, "False", "the event is on another StatefulSet");

    servers.refusal("web.1", servers.uid(), now, quota).await;
    servers.reconcile().await;
    let sentence = format!("A Pod cannot be created: {quota}.");
    for (type_, status) in [("Ready", "False"), ("Degraded", "True")] {
        let told = servers.told(type_).await;
        assert_eq!(told, (status.into(), "FailedCreate".into(), sentence.clone()), "{type_}");
    }

    // Both servers are there, so whatever was refused is over.
    let status =
        Patch::Merge(json!({"status": {"replicas": 2, "readyReplicas": 1, "observedGeneration": 1}}));
    let sets = servers.harness.api::<StatefulSet>();
    sets.patch_status("web", &PatchParams::default(), &status).await.expect("told");
    servers.reconcile().await;
    assert_eq!(servers.told("Degraded").await.0, "False");
    assert_eq!(servers.told("Ready").await.1, "RollingOut");
}

/// Missing rights fail nothing, so no other test sees whether `deploy/rbac.yaml` grants these.
#[tokio::test]
async fn the_rights_of_deploy_are_enough_and_one_that_is_missing_is_named() {
    let Some(servers) = Servers::begin("RBAC is enforced by the API server").await else { return };
    let user = TestUser::new("operator-with-rights-of-deploy");
    let client = servers.harness.env.cluster().client(&user);
    let mut rules = rules();
    grant(&servers.harness, &user, &rules).await;
    eventually("the rights to be in force", SOON, || async {
        servers.harness.api_of::<StatefulSet>(&client).get("web").await.ok().map(drop)
    })
    .await;
    servers.pass(21);
    servers.refusal("web.1", servers.uid(), SystemClock.wall(), "no room").await;
    servers.reconcile_by(&client).await;
    assert_eq!(servers.told("Degraded").await.1, "FailedCreate", "events can be listed");
    servers.pod("web-0", servers.uid(), cannot_be_pulled()).await;
    servers.reconcile_by(&client).await;
    assert_eq!(servers.told("Degraded").await.1, "ImagePullBackOff", "Pods can be listed");

    for rule in &mut rules {
        if [json!(["pods"]), json!(["events"])].contains(&rule["resources"]) {
            rule["verbs"].as_array_mut().expect("verbs").retain(|verb| verb != "list");
        }
    }
    rules.retain(|rule| rule["verbs"] != json!([]));
    let fewer = Patch::Merge(json!({ "rules": rules }));
    servers
        .harness
        .api::<Role>()
        .patch("operator", &PatchParams::default(), &fewer)
        .await
        .expect("taken away");
    eventually("the rights to be gone", SOON, || async {
        servers.harness.api_of::<Pod>(&client).list(&ListParams::default()).await.err().map(drop)
    })
    .await;
    assert_eq!(servers.reconcile_by(&client).await, Action::requeue(Duration::from_secs(20)));
    let (_, reason, message) = servers.told("Ready").await;
    assert_eq!(reason, "RollingOut");
    for phrase in [user.name(), "cannot list resource \"pods\"", servers.harness.env.namespace()] {
        assert!(message.contains(phrase), "{phrase} is missing in {message}");
    }
}

fn rules() -> Vec<Value> {
    let documents: Vec<DynamicObject> =
        serde_saphyr::from_multiple(include_str!("../../../../deploy/rbac.yaml")).expect("YAML documents");
    let is_role = |document: &&DynamicObject| {
        document.types.as_ref().is_some_and(|types| types.kind == ClusterRole::kind(&()))
    };
    let role = documents.iter().find(is_role).expect("a ClusterRole");
    role.data["rules"].as_array().expect("rules").clone()
}

async fn grant(harness: &Harness, user: &TestUser, rules: &[Value]) {
    let role = json!({"metadata": {"name": "operator"}, "rules": rules});
    let role = serde_json::from_value(role).expect("a Role");
    harness.api::<Role>().create(&PostParams::default(), &role).await.expect("created");
    let binding = json!({
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name()}],
    });
    let binding = serde_json::from_value(binding).expect("a RoleBinding");
    harness.api::<RoleBinding>().create(&PostParams::default(), &binding).await.expect("created");
}
