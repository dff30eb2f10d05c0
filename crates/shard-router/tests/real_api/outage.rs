//! A replica that is cut off, and a coordinator that is not there.

use std::{collections::BTreeSet, time::Duration};

use kube::api::{Patch, PatchParams};
use kube_testkit::TestUser;
use lease_core::Timings;
use overlap_checker::records::{Replica, Shard, Stamp};
use overlap_checker::{Fault, Observations, Rules, judge};
use serde_json::json;

use crate::{
    fleet::{Fleet, ID},
    scenarios::{quick, slow},
    widget::create,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_cut_off_stops_in_time_and_its_shards_go_on_elsewhere_within_the_bound() {
    let Some(fleet) = Fleet::new("the connection to it is cut").await else { return };
    let proxy = fleet.env.proxy().unwrap();
    for n in 0..12 {
        create(&fleet.widgets, &format!("w{n}"), &[]).await;
    }
    let config = fleet.env.config_via(&proxy, &TestUser::admin());
    let a = Fleet::assemble(Fleet::app_by(config, fleet.options("pod-a", 4)), slow);
    let b = fleet.start(fleet.options("pod-b", 4), slow);
    fleet.settle_at(&[2, 2]).await;
    fleet.begins(12).await;

    let fault = Fault { replica: Replica(a.identity.clone()), at: Stamp::now().unwrap() };
    proxy.hang();
    fleet.settle_at(&[4]).await;
    a.unready_because("nothing was heard").await;
    let so_far = fleet.records.of("begin").len();
    fleet.begins(so_far + 12).await;
    proxy.resume();
    fleet.settle_at(&[2, 2]).await;
    a.terminate().await;
    b.terminate().await;

    let observations = Observations {
        records: fleet.records.log(),
        faults: vec![fault],
        shards: (0..4).map(Shard).collect::<BTreeSet<_>>(),
        ..Observations::default()
    };
    let rules = Rules { unowned_bound: Some(Timings::fast().takeover_bound()), ..Rules::default() };
    let verdict = judge(&observations, &rules);
    let sentences: Vec<_> = verdict.violations().map(|violation| violation.sentence.clone()).collect();
    assert_eq!(sentences, [""; 0]);
}

/// The un-suffixed Lease is held by somebody who names itself as coordinators do, and does nothing. Another replica stamps in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nobody_coordinates_any_replica_stamps_what_stays_unstamped() {
    let Some(fleet) = Fleet::new("the coordinator Lease lives there").await else { return };
    let first = fleet.start(fleet.options("pod-a", 2), quick);
    fleet.settle_at(&[2]).await;
    first.terminate().await;
    let squatter = json!({
        "metadata": {"annotations": {"test.shard-router.dev/coordinator": "squatter_1"}},
        "spec": {"holderIdentity": "squatter_1", "leaseDurationSeconds": 3600},
    });
    fleet.leases.patch(ID, &PatchParams::default(), &Patch::Merge(squatter)).await.unwrap();

    let mut options = fleet.options("pod-b", 2);
    options.stamp_delay = Some(Duration::from_millis(500));
    let replica = fleet.start(options, quick);
    fleet.settle_at(&[2]).await;
    create(&fleet.widgets, "w", &[]).await;
    fleet.reconciled(&["w".to_owned()]).await;
    replica.terminate().await;
}
