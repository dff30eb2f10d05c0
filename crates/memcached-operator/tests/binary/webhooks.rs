//! Admission webhooks that stand in the way of the operator: each is told on the resource, costs few requests, and is no matter of others.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use kube_testkit::{WorkloadStandIn, eventually};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::status::condition;
use overlap_checker::{AuditEvent, AuditLog};
use serde_json::json;

use crate::cluster::{SOON, start_cluster};
use crate::replica::Replica;
use crate::webhook::{Conduct, Webhook};
use crate::work::{becomes_ready, create};

/// How many renewals of its member Lease the replica is watched for, one a second.
const RENEWALS: usize = 24;
const STATEFUL_SETS: [&str; 2] = ["apps", "statefulsets"];
const SERVICES: [&str; 2] = ["", "services"];

/// A namespace, what its webhook does, and what the resource there says of it.
struct Case {
    namespace: &'static str,
    resource: [&'static str; 2],
    conduct: Conduct,
    /// `Type=Status Reason`.
    conditions: [&'static str; 3],
    message: &'static str,
}

fn cases() -> [Case; 5] {
    let label = "/metadata/labels/app.kubernetes.io~1name";
    let denied = |code| Conduct::Deny(code, "no StatefulSet on Sundays".to_owned());
    let failed = ["Reconciling=True Retrying", "Stalled=False NotStalled", "Degraded=True ApplyFailed"];
    let stalled = ["Reconciling=False ApplyFailed", "Stalled=True ApplyFailed", "Degraded=True ApplyFailed"];
    [
        Case {
            namespace: "rewriting",
            resource: SERVICES,
            conduct: Conduct::Rewrite(json!([{"op": "replace", "path": label, "value": "tenant"}])),
            conditions: [
                "Reconciling=False RolledOut",
                "Stalled=False NotStalled",
                "Degraded=True ChangedByAdmission",
            ],
            message: "metadata.labels.app.kubernetes.io/name",
        },
        Case {
            namespace: "teapot",
            resource: STATEFUL_SETS,
            conduct: denied(418),
            conditions: stalled,
            message: "no StatefulSet on Sundays",
        },
        Case {
            namespace: "odd-code",
            resource: STATEFUL_SETS,
            conduct: denied(999),
            conditions: failed,
            message: "no StatefulSet on Sundays",
        },
        Case {
            namespace: "hanging",
            resource: STATEFUL_SETS,
            conduct: Conduct::Hang,
            conditions: failed,
            message: "failed calling webhook",
        },
        Case {
            namespace: "down",
            resource: STATEFUL_SETS,
            conduct: Conduct::Down,
            conditions: failed,
            message: "failed calling webhook",
        },
    ]
}

#[tokio::test]
async fn webhooks_in_the_way_are_told_and_cost_few_requests() {
    let Some((cluster, client)) = start_cluster("the API server asks webhooks").await else { return };
    let mut webhooks = Vec::new();
    for case in cases() {
        let Case { namespace, resource, conduct, .. } = case;
        make(&client, namespace).await;
        webhooks.push(Webhook::start(&client, namespace, resource, conduct).await);
    }
    let _servers = WorkloadStandIn::start(client.clone(), Duration::ZERO);
    let _replica = Replica::start(&cluster, "op-0", &["--shards=2"]);
    for Case { namespace, .. } in cases() {
        create(&Api::namespaced(client.clone(), namespace), "cache", 2).await;
    }
    let others: Api<Memcached> = Api::default_namespaced(client.clone());
    create(&others, "cache", 2).await;
    becomes_ready(&others, "cache", "2/2").await;

    for Case { namespace, conditions, message, .. } in cases() {
        let fleets: Api<Memcached> = Api::namespaced(client.clone(), namespace);
        let what = format!("the resource in {namespace} to say {conditions:?} and {message:?}");
        eventually(&what, SOON, || async {
            let status = fleets.get("cache").await.ok()?.status?;
            // Before its first reconcile has ended, a resource says nothing but what its definition says.
            let said = ["Reconciling", "Stalled", "Degraded"].map(|type_| {
                condition(&status.conditions, type_)
                    .map_or_else(String::new, |it| format!("{type_}={} {}", it.status, it.reason))
            });
            let degraded = condition(&status.conditions, "Degraded")?;
            (said == conditions && degraded.message.contains(message)).then_some(())
        })
        .await;
    }
    let audit =
        || AuditLog::read_file(&cluster.audit_log().expect("it was asked for")).expect("it is read").events;
    let is_renewal = |event: &&AuditEvent| {
        event.verb == "update" && event.is_accepted() && event.name.contains("-member-")
    };
    eventually("the replica to renew its member Lease for a while", SOON, || async {
        (audit().iter().filter(is_renewal).count() >= RENEWALS).then_some(())
    })
    .await;
    let events: Vec<_> = audit().into_iter().filter(|event| event.user_agent.contains("op-0")).collect();
    for Case { namespace, resource, .. } in cases() {
        let here: Vec<_> = events.iter().filter(|event| event.namespace == namespace).collect();
        let writes = here.iter().filter(|event| event.resource == resource[1] && event.is_write());
        let received: Vec<_> = writes.map(|event| event.received).collect();
        let (first, last) = (received[0], *received.last().expect("one"));
        let most = most_attempts(last.since(first));
        assert!(
            (2..=most).contains(&received.len()),
            "{} writes in {namespace}, {most} are the most",
            received.len()
        );
        // The same failure is no news. What is written again is told with how often, and when it is due.
        let most = if namespace == "rewriting" { 4 + 3 * received.len() } else { 6 };
        let told =
            here.iter().filter(|event| event.subresource == "status" || event.resource == "events").count();
        assert!(told <= most, "{told} writes of status and events in {namespace}, {most} are the most");
    }
}

/// How often a write can be made within so long, if the waits double from a second, each spread between a half and the whole. A status that
/// is written, at the beginning and with the second failure, is a change of the resource, after which it is reconciled at once.
fn most_attempts(elapsed: Duration) -> usize {
    let mut end = Duration::ZERO;
    let again = (0..9).take_while(|nth| {
        end += Duration::from_secs(1 << nth) / 2;
        end <= elapsed
    });
    3 + again.count()
}

async fn make(client: &Client, namespace: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let metadata = ObjectMeta { name: Some(namespace.into()), ..ObjectMeta::default() };
    let namespace = Namespace { metadata, ..Namespace::default() };
    namespaces.create(&PostParams::default(), &namespace).await.expect("created");
}
