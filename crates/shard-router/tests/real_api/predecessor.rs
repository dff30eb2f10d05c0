//! Back to a version that does not shard, and forward again, with a client-go candidate as that version.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use kube_testkit::{GuardedChild, GuardedCommand, Signal, TestUser, eventually};
use serde_json::json;

use crate::{
    fleet::{DEADLINE, Fleet, ID, violations},
    scenarios::quick,
    widget::create,
};

#[path = "../../../lease-core/tests/client_go/build.rs"]
mod build;

const HOLDER: &str = "old-operator_1";

/// An operator of the old kind: it contends for the un-suffixed Lease with client-go's code, and would reconcile everything while it
/// leads.
struct OldOperator {
    process: GuardedChild,
    log: std::path::PathBuf,
}

impl OldOperator {
    fn start(fleet: &Fleet, program: &std::path::Path) -> Self {
        let log = fleet.env.dir().path().join("old-operator.log");
        let kubeconfig = fleet.env.kubeconfig(&TestUser::admin()).unwrap();
        let process = GuardedCommand::new(program)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--namespace", fleet.env.namespace(), "--lease", ID, "--identity", HOLDER])
            .args(["--lease-duration", "5s", "--renew-deadline", "3s", "--retry-period", "1s"])
            .stdout(&log)
            .stderr(&log)
            .spawn()
            .unwrap();
        Self { process, log }
    }

    async fn says(&self, what: &str) {
        eventually(&format!("the client-go candidate to say {what:?}"), DEADLINE, || async {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            log.lines().any(|line| line.ends_with(what)).then_some(())
        })
        .await;
    }
}

impl Drop for OldOperator {
    fn drop(&mut self) {
        self.process.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_stop_beside_a_client_go_leader_and_go_on_after_it() {
    let program = match build::program() {
        Ok(program) => program,
        Err(why) => {
            println!("skipped: shards_stop_beside_a_client_go_leader_and_go_on_after_it: {why}");
            return;
        }
    };
    let Some(fleet) = Fleet::new("client-go and replicas contend for a Lease there").await else { return };
    let names: Vec<_> = (0..8).map(|number| format!("w{number}")).collect();
    for name in &names {
        create(&fleet.widgets, name, &[]).await;
    }
    let a = fleet.start(fleet.options("pod-a", 4), quick);
    let b = fleet.start(fleet.options("pod-b", 4), quick);
    fleet.settle_at(&[2, 2]).await;
    fleet.reconciled(&names).await;

    // It waits, as any candidate; then somebody gives it the Lease, and it keeps it, with all that is written on it.
    let old = OldOperator::start(&fleet, &program);
    old.says("started").await;
    let given = tokio::time::Instant::now();
    let patch = json!({"spec": {"holderIdentity": HOLDER}});
    fleet.leases.patch(ID, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    for replica in [&a, &b] {
        let because = replica.unready_because("does not shard").await;
        assert!(because.contains(HOLDER), "{because}");
    }
    fleet.settle_at(&[]).await;
    println!("back: no shard is held {:?} after the predecessor was given the Lease", given.elapsed());
    old.says("leading").await;
    let lease = fleet.leases.get(ID).await.unwrap();
    let renewed = renewed_at(&lease);
    let annotations = lease.metadata.annotations.unwrap_or_default();
    assert!(
        annotations.contains_key("test.shard-router.dev/layout"),
        "client-go keeps what it does not know of"
    );
    let begun = fleet.records.of("begin").len();
    create(&fleet.widgets, "late", &[]).await;
    // Several renewals of the predecessor later.
    eventually("the predecessor to renew", DEADLINE, || async {
        let now = fleet.leases.get(ID).await.ok()?;
        let after = renewed_at(&now)?.duration_since(renewed?);
        (after.as_secs() >= 4).then_some(())
    })
    .await;
    assert_eq!(fleet.records.of("begin").len(), begun, "nothing is reconciled beside it");

    old.process.signal(Signal::Terminate).unwrap();
    fleet.settle_at(&[2, 2]).await;
    fleet.reconciled(&["late".to_owned()]).await;
    for replica in [a, b] {
        replica.ready().await;
        replica.terminate().await;
    }
    assert_eq!(violations(&fleet.records), [""; 0]);
}

fn renewed_at(lease: &Lease) -> Option<Timestamp> {
    lease.spec.as_ref()?.renew_time.as_ref().map(|time| time.0)
}
