//! A life of the operator from start to SIGTERM.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use kube_testkit::guard::Exit;
use kube_testkit::{WorkloadStandIn, eventually};
use memcached_operator::crd::{Memcached, MemcachedSpec};

use crate::cluster::{NAMESPACE, SOON, start_cluster};
use crate::replica::Replica;

const SHARDS: &str = "--shards=4";

#[tokio::test]
async fn works_with_exactly_the_rights_it_ships_with() {
    let Some((cluster, client)) = start_cluster("RBAC is enforced by the API server").await else { return };
    let _servers = WorkloadStandIn::start(client.clone(), Duration::ZERO);
    let mut replicas = ["op-0", "op-1"].map(|name| Replica::start(&cluster, name, &[SHARDS]));
    for replica in &replicas {
        replica.answers_readiness(200, "ready").await;
    }

    let fleets: Api<Memcached> = Api::default_namespaced(client.clone());
    for number in 0..6 {
        create(&fleets, &format!("fleet-{number}"), 2).await;
    }
    for number in 0..6 {
        becomes_ready(&fleets, &format!("fleet-{number}"), "2/2").await;
    }

    // A child that vanishes comes back, which shows that children are watched.
    let services: Api<Service> = Api::default_namespaced(client.clone());
    let uid = services.get("fleet-0").await.expect("a Service").metadata.uid;
    services.delete("fleet-0", &DeleteParams::default()).await.expect("deleted");
    eventually("the Service to come back", SOON, || async {
        let service = services.get_opt("fleet-0").await.ok()??;
        (service.metadata.uid != uid).then_some(())
    })
    .await;

    // Scaled like anything else.
    let scale = serde_json::json!({"spec": {"replicas": 3}});
    let merge = kube::api::Patch::Merge(&scale);
    fleets.patch_scale("fleet-1", &kube::api::PatchParams::default(), &merge).await.expect("scaled");
    becomes_ready(&fleets, "fleet-1", "3/3").await;

    // The event, once: looked for last, after every resync that the above has caused.
    assert_eq!(created_events(&client, "fleet-2").await, 1);

    let (code, metrics) = replicas[0].get("--metrics-addr", "/metrics").await.expect("metrics");
    assert_eq!(code, 200);
    for name in
        ["leader_election_master_status{", "shard_router_shard_owned{", "shard_router_reconciles_total{"]
    {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    for replica in &mut replicas {
        replica.terminate();
        assert_eq!(replica.exit().await, Exit::Code(0), "{}", replica.log());
        let log = replica.log();
        assert!(!log.contains("forbidden") && !log.contains("may not"), "a right is missing: {log}");
    }
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    for lease in leases.list(&ListParams::default()).await.expect("listed") {
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        assert_eq!(holder, "", "{:?} is released", lease.metadata.name);
    }
}

#[tokio::test]
async fn another_key_label_is_refused_visibly() {
    let Some((cluster, _client)) = start_cluster("the layout is kept on a Lease").await else { return };
    let first = Replica::start(&cluster, "op-0", &[SHARDS]);
    first.answers_readiness(200, "ready").await;
    eventually("the layout to be committed", SOON, || async {
        first.log().contains("committed layout").then_some(())
    })
    .await;
    let mut second = Replica::start(&cluster, "op-1", &[SHARDS, "--shard-key-label=tenant"]);
    let body = second.answers_readiness(503, "start it with no shard key label").await;
    assert!(body.starts_with("not ready: "), "{body}");
    second.terminate();
    assert_eq!(second.exit().await, Exit::Code(0), "{}", second.log());
}

#[tokio::test]
async fn a_second_signal_aborts() {
    let Some((cluster, _client)) = start_cluster("a release has to be waiting for an answer").await else {
        return;
    };
    let mut replica = Replica::start(&cluster, "op-0", &[SHARDS]);
    eventually("the replica to lead", SOON, || async {
        replica.log().contains("became leader").then_some(())
    })
    .await;
    // No Lease can be released while nothing is answered.
    cluster.pause_api_server().await.expect("paused");
    replica.terminate();
    eventually("the first signal to be seen", SOON, || async {
        replica.log().contains("a second signal aborts").then_some(())
    })
    .await;
    replica.terminate();
    let exit = replica.exit().await;
    assert!(exit != Exit::Code(0), "{exit:?}: {}", replica.log());
    assert!(replica.log().contains("aborted by a second signal"), "{}", replica.log());
}

pub(crate) async fn create(fleets: &Api<Memcached>, name: &str, replicas: i32) {
    let spec: MemcachedSpec =
        serde_json::from_value(serde_json::json!({"replicas": replicas})).expect("a spec");
    fleets.create(&PostParams::default(), &Memcached::new(name, spec)).await.expect("created");
}

pub(crate) async fn becomes_ready(fleets: &Api<Memcached>, name: &str, expected: &str) {
    eventually(&format!("{name} to be {expected}"), SOON, || async {
        let status = fleets.get(name).await.ok()?.status?;
        (status.ready.as_deref() == Some(expected)).then_some(())
    })
    .await;
}

pub(crate) async fn created_events(client: &Client, name: &str) -> usize {
    let events: Api<Event> = Api::default_namespaced(client.clone());
    let of = |event: &&Event| {
        event.reason.as_deref() == Some("Created")
            && event.regarding.as_ref().is_some_and(|on| on.name.as_deref() == Some(name))
    };
    let all = events.list(&ListParams::default()).await.expect("events are listed");
    all.items.iter().filter(of).count()
}
