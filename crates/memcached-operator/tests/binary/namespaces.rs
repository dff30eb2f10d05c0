//! A namespace in which the operator has no rights, or has none yet, beside one in which it has them.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use kube_testkit::{Cluster, ClusterOptions, WorkloadStandIn, eventually};
use overlap_checker::{AuditEvent, AuditLog};

use crate::cluster::{NAMESPACE, SOON, start_cluster_with};
use crate::replica::Replica;
use crate::work::{becomes_ready, create};

const ACCOUNT: &str = "memcached-operator";
const OPEN: &str = "fz-a";
const CLOSED: &str = "fz-b";
/// How many renewals of its member Lease the replica is watched for, one a second: the clock of this test is the replica's own.
const RENEWALS: usize = 32;
const SHARDS: usize = 8;
/// What a replica lists for each shard.
const KINDS: [&str; 4] = ["memcacheds", "statefulsets", "services", "poddisruptionbudgets"];

/// Its lists of 8 shards with their children are refused for as long as this takes. Failing lists were never backed off once: 112 to
/// 175 requests a second, and 7.6 MB of log in 40 s.
#[tokio::test]
async fn a_namespace_without_rights_is_asked_for_more_and_more_seldom() {
    let options = ClusterOptions { audit_reads: true, ..ClusterOptions::default() };
    let Some((cluster, client)) = start_cluster_with("RBAC is enforced by the API server", options).await
    else {
        return;
    };
    take_rights(&client).await;
    for namespace in [OPEN, CLOSED] {
        make(&client, namespace).await;
    }
    grant(&client, OPEN).await;
    let _servers = WorkloadStandIn::start(client.clone(), Duration::ZERO);
    let flags = format!("--watch-namespaces={OPEN},{CLOSED}");
    let replica = Replica::start(&cluster, "op-0", &[&format!("--shards={SHARDS}"), &flags]);
    let open = Api::namespaced(client.clone(), OPEN);
    create(&open, "served", 2).await;
    becomes_ready(&open, "served", "2/2").await;

    let renewals = || events(&cluster).iter().filter(|event| is_renewal(event)).count();
    eventually("the replica to renew its member Lease for a while", SOON, || async {
        (renewals() >= RENEWALS).then_some(())
    })
    .await;
    let events = events(&cluster);
    let elapsed = elapsed(&events);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    // Whether a namespace exists is asked once, and not again where that is refused.
    let is_of_work = |event: &&AuditEvent| event.code == 403 && event.resource != "namespaces";
    for event in events.iter().filter(is_of_work) {
        assert_eq!(event.namespace, CLOSED, "{} is refused", event.uri);
        *refused.entry(shape(event)).or_default() += 1;
    }
    assert!(
        refused.len() > SHARDS * KINDS.len(),
        "too few lists are refused to prove anything: {refused:#?}"
    );
    let most = most_attempts(elapsed);
    for (shape, times) in &refused {
        let watches = if shape.contains("+notin+") { 2 } else { 1 };
        assert!(
            *times <= watches * most,
            "{times} attempts in {elapsed:?}, and {most} are the most: {shape}"
        );
    }

    // Each kind: a right that is missing, a watch that is retried, the replica that is not ready for it.
    let log = replica.log();
    let about = log.lines().filter(|line| line.contains(CLOSED)).count();
    assert!((KINDS.len()..=4 * KINDS.len()).contains(&about), "{about} lines are about {CLOSED}");
}

/// How often a list can fail within so long: it waits a quarter of a second, twice that, and so on up to 30 s, each spread between a
/// half and the whole (shard-router's `watch_backoff`).
fn most_attempts(elapsed: Duration) -> usize {
    let waits = (0..).map(|nth| Duration::from_millis(250 << nth.min(8)).min(Duration::from_secs(30)) / 2);
    let ends = waits.scan(Duration::ZERO, |end, wait| {
        *end += wait;
        Some(*end)
    });
    1 + ends.take_while(|end| *end <= elapsed).count()
}

/// From the first request to the last, on the API server's clock.
fn elapsed(events: &[AuditEvent]) -> Duration {
    let received = events.iter().map(|event| event.received);
    let (first, last) = (received.clone().min().expect("a request"), received.max().expect("a request"));
    last.since(first)
}

fn is_renewal(event: &AuditEvent) -> bool {
    event.verb == "update" && event.is_accepted() && event.name.contains("-member-")
}

/// All that the operator asked for.
fn events(cluster: &Cluster) -> Vec<AuditEvent> {
    let log = AuditLog::read_file(&cluster.audit_log().expect("it was asked for")).expect("it is read");
    let user = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
    log.events.into_iter().filter(|event| event.user == user).collect()
}

/// Which list or watch it is: the path, and what it selects by.
fn shape(event: &AuditEvent) -> String {
    let (path, query) = event.uri.split_once('?').unwrap_or((&event.uri, ""));
    let selector = query.split('&').find(|part| part.starts_with("labelSelector="));
    format!("{path} {}", selector.unwrap_or_default())
}

/// Takes the rights in all namespaces away that `deploy/rbac.yaml` gives.
async fn take_rights(client: &Client) {
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    bindings.delete(ACCOUNT, &DeleteParams::default()).await.expect("deleted");
}

async fn make(client: &Client, name: &str) {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = Namespace { metadata, ..Namespace::default() };
    namespaces.create(&PostParams::default(), &namespace).await.expect("created");
}

/// Gives the operator its rights in one namespace.
async fn grant(client: &Client, namespace: &str) {
    let binding = RoleBinding {
        metadata: ObjectMeta { name: Some(ACCOUNT.to_owned()), ..ObjectMeta::default() },
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: ACCOUNT.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: ACCOUNT.to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
            ..Subject::default()
        }]),
    };
    let bindings: Api<RoleBinding> = Api::namespaced(client.clone(), namespace);
    bindings.create(&PostParams::default(), &binding).await.expect("granted");
}
