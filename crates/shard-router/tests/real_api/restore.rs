//! etcd is restored from a backup under replicas that run, with a real kube-apiserver on it.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use kube_testkit::eventually;
use lease_core::Timings;
use overlap_checker::records::BootTime;
use serde_json::{Value, json};
use shard_router::{Action, Held, Readiness};

use crate::{
    fleet::{DEADLINE, Fleet, Running, violations_but},
    widget::{Widget, create},
};

const WIDGETS: usize = 8;
/// How often a widget is reconciled again without a reason.
const AGAIN: Duration = Duration::from_secs(1);
/// A watch that failed is left alone for no longer.
const WATCH_BACKOFF_CAP: Duration = Duration::from_secs(5);
/// So many writes put the history that is lost ahead of what is written soon after the restore.
const WRITES_AHEAD: usize = 500;

/// Two replicas work, a backup is taken, a third joins and objects come, change and go. Then the control plane is down for
/// `down_for`, and comes back with the backup. Returns what went wrong.
pub(crate) async fn restore(fleet: &Fleet, timings: Timings, down_for: Duration) -> Vec<String> {
    for number in 0..WIDGETS {
        create(&fleet.widgets, &format!("w{number}"), &[]).await;
    }
    let mut replicas = vec![work(fleet, "pod-a", timings), work(fleet, "pod-b", timings)];
    fleet.settle_at(&[2, 2]).await;
    fleet.reconciled(&names()).await;
    let cluster = fleet.env.cluster();
    let backup = cluster.back_up().await.expect("a backup is taken");
    replicas.push(life_goes_on(fleet, timings).await);

    let unreachable = async {
        if down_for > timings.lease_duration() {
            join_all(replicas.iter().map(|replica| replica.unready_because("nothing was heard"))).await;
        }
    };
    let (restored, ()) = tokio::join!(cluster.restore(&backup, down_for), unreachable);
    restored.expect("the backup is restored");
    let served = BootTime::now();
    let bound = 3 * timings.takeover_bound() + WATCH_BACKOFF_CAP + AGAIN;
    eventually("a widget to be made after the restore", DEADLINE, || async {
        let new = Widget::new("new", crate::widget::WidgetSpec::default());
        fleet.widgets.create(&kube::api::PostParams::default(), &new).await.ok()
    })
    .await;
    // A replica that knows says so for LeaseDuration at least.
    let told = join_all(replicas.iter().map(|replica| tells(replica, bound))).await;

    let mut found = Vec::new();
    let mut knows = BTreeMap::new();
    for (replica, at) in replicas.iter().zip(told) {
        match at {
            Some(at) => drop(knows.insert(replica.identity.clone(), at)),
            None => found.push(format!("{} did not say that history was rewound", replica.identity)),
        }
    }
    if !again(fleet, &replicas, served, bound).await {
        found.push(format!("not everything was reconciled and ready again within {bound:?} of the restore"));
    }
    for replica in replicas {
        replica.terminate().await;
    }
    found.extend(of_the_lost_history(fleet, &knows, timings.retry_period()));
    // Tokens fall with the versions that they are; the caller looks at that.
    found.extend(violations_but(&fleet.records, "tokens"));
    found
}

/// What the backup has, by name.
fn names() -> Vec<String> {
    (0..WIDGETS).map(|number| format!("w{number}")).collect()
}

fn work(fleet: &Fleet, pod: &str, timings: Timings) -> Running {
    let mut options = fleet.options(pod, 4);
    options.elections.timings = timings;
    let reconcile = |_: Arc<Widget>, _: Held| async { Ok::<_, Infallible>(Action::requeue(AGAIN)) };
    fleet.start(options, reconcile)
}

/// What the backup does not have: writes, edits, widgets made and deleted, and a replica with the terms that it gets.
async fn life_goes_on(fleet: &Fleet, timings: Timings) -> Running {
    let maps: Api<ConfigMap> = Api::namespaced(fleet.env.admin(), fleet.env.namespace());
    for number in 0..WRITES_AHEAD {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ahead"}, "data": {"number": number.to_string()}});
        maps.patch("ahead", &PatchParams::apply("tests"), &Patch::Apply(map)).await.expect("written");
    }
    let third = work(fleet, "pod-c", timings);
    fleet.settle_at(&[2, 1, 1]).await;
    for name in &names()[1..] {
        let edit = Patch::Merge(json!({"spec": {"size": 7}}));
        fleet.widgets.patch(name, &PatchParams::default(), &edit).await.expect("edited");
    }
    fleet.widgets.delete("w0", &DeleteParams::default()).await.expect("deleted");
    let late: Vec<_> = (0..WIDGETS).map(|number| format!("late{number}")).collect();
    for name in &late {
        create(&fleet.widgets, name, &[]).await;
    }
    fleet.reconciled(&late).await;
    third
}

/// When the replica said that history was rewound, if it did within the bound.
async fn tells(replica: &Running, bound: Duration) -> Option<BootTime> {
    let told = async {
        loop {
            if let Readiness::NotReady { because } = replica.readiness.get()
                && because.contains("history was rewound")
            {
                return BootTime::now();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(bound, told).await.ok()
}

/// Whether each widget of the backup, as it is there, and the one made since, has had a reconcile under a hold that began after the
/// restore, and all replicas are ready.
async fn again(fleet: &Fleet, replicas: &[Running], served: BootTime, bound: Duration) -> bool {
    let wanted: BTreeSet<_> = names()
        .into_iter()
        .chain(["new".to_owned()])
        .map(|name| format!("{}/{name}", fleet.env.namespace()))
        .collect();
    while BootTime::now().since(served) < bound {
        let holds = holds_since(fleet, served);
        let begun = fleet.records.of("begin").into_iter().filter(|begin| holds.contains(&hold_of(begin)));
        // An edit that is not in the backup would show as the second generation.
        let begun = begun
            .filter(|begin| begin["generation"] == 1)
            .filter_map(|begin| Some(begin["cr"].as_str()?.to_owned()));
        let done = begun.collect::<BTreeSet<_>>().is_superset(&wanted);
        if done && replicas.iter().all(|replica| replica.readiness.get() == Readiness::Ready) {
            println!("recovered after {:?} of at most {bound:?}", BootTime::now().since(served));
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// What a replica did with what the restore has undone, from RetryPeriod after it said that it knows.
fn of_the_lost_history(
    fleet: &Fleet,
    knows: &BTreeMap<String, BootTime>,
    retry_period: Duration,
) -> Vec<String> {
    let mut found = Vec::new();
    for begin in fleet.records.of("begin") {
        let Some(at) = begin["replica"].as_str().and_then(|replica| knows.get(replica)) else { continue };
        if boot(&begin).since(*at) <= retry_period {
            continue;
        }
        if !holds_since(fleet, *at).contains(&hold_of(&begin)) {
            found.push(format!("a reconcile began under a hold of the lost history: {begin}"));
        }
        if begin["cr"].as_str().is_some_and(|cr| cr.contains("/late")) {
            found.push(format!("a widget was reconciled that the restore has undone: {begin}"));
        }
    }
    found
}

fn holds_since(fleet: &Fleet, at: BootTime) -> BTreeSet<String> {
    fleet.records.of("hold-begin").iter().filter(|hold| boot(hold) > at).map(hold_of).collect()
}

fn hold_of(line: &Value) -> String {
    format!("{} {} {}", line["replica"], line["shard"], line["token"])
}

fn boot(line: &Value) -> BootTime {
    BootTime(line["boot_ns"].as_u64().expect("each record has its time"))
}
