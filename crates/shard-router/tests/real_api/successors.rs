//! Whom a release names, and who takes the shard.

use std::time::Duration;

use k8s_openapi::{api::coordination::v1::Lease, apimachinery::pkg::apis::meta::v1::MicroTime};
use kube::{
    ResourceExt,
    api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use kube_testkit::eventually;
use lease_core::Timings;
use serde_json::json;

use crate::fleet::{DEADLINE, Fleet, ID, violations};
use crate::scenarios::quick;

const DOMAIN: &str = "test.shard-router.dev";

/// Where several replicas leave at once, one may name another that is leaving too. Of two shards that are released at the
/// same time, the one whose successor stays waits RetryPeriod for it, and the other one does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shard_whose_named_successor_is_leaving_does_not_wait_for_it() {
    let Some(fleet) = Fleet::new("it is about watches and writes of Leases").await else { return };
    let mut options = fleet.options("replica", 2);
    // RetryPeriod is as long as it can be, so that the two waits cannot be mistaken for each other.
    let seconds = Duration::from_secs;
    options.elections.timings = Timings::new(seconds(6), seconds(5), seconds(4)).unwrap();
    let replica = fleet.start(options, quick);
    fleet.settle_at(&[2]).await;
    add_member(&fleet, "leaving_1", true).await;
    add_member(&fleet, "staying_1", false).await;

    // The replica hands one of its shards to the one that stays, which never takes it.
    let waiting = eventually("a shard to be handed over", DEADLINE, || async {
        for shard in 0..2 {
            let lease = fleet.leases.get(&lease_name(shard)).await.unwrap();
            if lease.annotations().get(&format!("{DOMAIN}/successor")).is_some_and(|name| name == "staying_1")
            {
                return Some(shard);
            }
        }
        None
    })
    .await;
    release(&fleet, 1 - waiting, "leaving_1").await;
    let [prompt, patient] = [taken(&fleet, 1 - waiting).await, taken(&fleet, waiting).await];
    assert!(prompt < patient, "{prompt:?} {patient:?}");
    replica.terminate().await;
    assert_eq!(violations(&fleet.records), [""; 0]);
}

/// A member Lease like that of the replica, of somebody who lives long.
async fn add_member(fleet: &Fleet, identity: &str, draining: bool) {
    let of_members = |lease: &Lease| lease.name_any().starts_with(&format!("{ID}-member-"));
    let leases = fleet.leases.list(&ListParams::default()).await.unwrap();
    let mut lease = leases.into_iter().find(of_members).unwrap();
    let mut annotations = lease.metadata.annotations.take().unwrap_or_default();
    if draining {
        annotations.insert(format!("{DOMAIN}/draining"), "true".to_owned());
    }
    lease.metadata = ObjectMeta {
        name: Some(format!("{ID}-member-{}", identity.replace('_', "-"))),
        labels: lease.metadata.labels.take(),
        annotations: Some(annotations),
        ..ObjectMeta::default()
    };
    let spec = lease.spec.as_mut().unwrap();
    spec.holder_identity = Some(identity.to_owned());
    spec.lease_duration_seconds = Some(3600);
    fleet.leases.create(&PostParams::default(), &lease).await.unwrap();
}

/// As a holder that steps down would.
async fn release(fleet: &Fleet, shard: u16, successor: &str) {
    let patch = json!({
        "metadata": {"annotations": {format!("{DOMAIN}/successor"): successor}},
        "spec": {"holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": null},
    });
    fleet.leases.patch(&lease_name(shard), &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// When the shard was acquired again.
async fn taken(fleet: &Fleet, shard: u16) -> MicroTime {
    eventually(&format!("shard {shard} to be held again"), DEADLINE, || async {
        let record = fleet.leases.get(&lease_name(shard)).await.unwrap().spec?;
        record.holder_identity.filter(|holder| !holder.is_empty()).and(record.acquire_time)
    })
    .await
}

fn lease_name(shard: u16) -> String {
    format!("{ID}-shard-{shard}")
}
