//! What the tests put replicas through. Each scenario returns what went wrong, in sentences; the mutants run the same
//! scenarios and have to be found out.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use kube_testkit::eventually;
use serde_json::json;
use shard_router::{Action, Backoff, Bucket, Held, Readiness, ShardKey};

use crate::{
    fleet::{DEADLINE, Fleet, violations, violations_but},
    widget::{LABEL, Widget, create},
};

/// Reconciles that take a second go on while a second replica comes and is given its share.
pub(crate) async fn handover(fleet: &Fleet) -> Vec<String> {
    for n in 0..12 {
        create(&fleet.widgets, &format!("w{n}"), &[]).await;
    }
    let a = fleet.start(fleet.options("pod-a", 4), slow);
    fleet.settle_at(&[4]).await;
    fleet.begins(12).await;
    let b = fleet.start(fleet.options("pod-b", 4), slow);
    fleet.settle_at(&[2, 2]).await;
    let so_far = fleet.records.of("begin").len();
    fleet.begins(so_far + 12).await;
    a.terminate().await;
    fleet.settle_at(&[4]).await;
    let so_far = fleet.records.of("begin").len();
    fleet.begins(so_far + 12).await;
    b.terminate().await;
    let mut found = violations(&fleet.records);
    found.extend(begun_before_ready(fleet));
    found
}

/// A reconcile must not begin before its hold's cache has reached a list taken after the acquisition.
pub(crate) fn begun_before_ready(fleet: &Fleet) -> Vec<String> {
    let (mut ready, mut found) = (Vec::new(), Vec::new());
    for line in fleet.records.lines() {
        let hold = (line["replica"].clone(), line["token"].clone());
        if line["record"] == "start-ready" {
            ready.push(hold);
        } else if line["record"] == "begin" && !ready.contains(&hold) {
            found.push(format!("begun before the takeover barrier: {line}"));
        }
    }
    found
}

/// A widget is deleted while a reconcile of it runs, and created again with a key of the other replica's shard.
pub(crate) async fn namesakes(fleet: &Fleet) -> Vec<String> {
    let probe = ConcurrencyProbe::default();
    let mut replicas = Vec::new();
    for pod in ["pod-a", "pod-b"] {
        let mut options = fleet.options(pod, 2);
        options.key_label = Some("tenant".into());
        let probe = probe.clone();
        replicas.push(fleet.start(options, move |widget, held| probe.clone().reconcile(widget, held)));
    }
    fleet.settle_at(&[1, 1]).await;
    let (blue, green) = tenants_of_different_shards();
    create(&fleet.widgets, "w", &[("tenant", &blue)]).await;
    for round in 0..6 {
        let uid = fleet.widgets.get("w").await.unwrap().uid().unwrap();
        fleet.begun(&uid).await;
        let tenant = if round % 2 == 0 { &green } else { &blue };
        fleet.replace("w", &[("tenant", tenant)]).await;
    }
    let last = fleet.widgets.get("w").await.unwrap().uid().unwrap();
    fleet.begun(&last).await;
    for replica in replicas {
        replica.terminate().await;
    }
    // The two shards' tokens are unrelated, and the namesake belongs to the other one: another resource, another line
    // of tokens.
    let mut found = violations_but(&fleet.records, "tokens");
    if probe.most("w") > 1 {
        found.push("two replicas reconciled one name at once".to_owned());
    }
    found
}

/// The key label is edited and the bucket label stripped.
pub(crate) async fn restamp(fleet: &Fleet) -> Vec<String> {
    let mut options = fleet.options("pod-a", 4);
    options.key_label = Some("tenant".into());
    let replica = fleet.start(options, quick);
    let bucket = ShardKey::from("blue").bucket();
    create(&fleet.widgets, "w", &[("tenant", "blue")]).await;
    fleet.labelled("w", bucket).await;
    let patch = json!({"metadata": {"labels": {"tenant": "green", LABEL: null}}});
    fleet.widgets.patch("w", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let again = eventually("the label to come back", DEADLINE, || async {
        fleet.widgets.get("w").await.unwrap().labels().get(LABEL).cloned()
    })
    .await;
    replica.terminate().await;
    let moved = (again != bucket.to_string()).then(|| format!("bucket {bucket} came back as {again}"));
    moved.into_iter().collect()
}

/// One of many widgets is poisonous.
pub(crate) async fn panics(fleet: &Fleet) -> Vec<String> {
    let mut options = fleet.options("pod-a", 1);
    options.backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
    let replica = fleet.start(options, |widget: Arc<Widget>, _held: Held| async move {
        // Late enough for siblings to be under way.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(widget.name_any() != "poison", "this widget is poisonous");
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(Action::requeue(Duration::from_millis(50)))
    });
    for n in 0..5 {
        create(&fleet.widgets, &format!("w{n}"), &[]).await;
    }
    fleet.begins(5).await;
    create(&fleet.widgets, "poison", &[]).await;
    let poison = format!("{}/poison", fleet.env.namespace());
    eventually("the poisonous widget to be tried three times", DEADLINE, || async {
        let tries =
            fleet.records.of("begin").into_iter().filter(|begin| begin["cr"] == poison.as_str()).count();
        (tries >= 3).then_some(())
    })
    .await;
    let mut found = Vec::new();
    let siblings =
        fleet.records.of("aborted").into_iter().filter(|line| line["cr"] != poison.as_str()).count();
    if siblings > 0 {
        found.push(format!("a panic took {siblings} other reconciles with it"));
    }
    let holds = fleet.records.of("hold-begin").len();
    if holds != 1 {
        found.push(format!("the shard was held {holds} times over because of a panic"));
    }
    replica.terminate().await;
    found.extend(violations(&fleet.records));
    found
}

/// A reconciler keeps its client, and uses it when the shard is no longer held.
pub(crate) async fn kept_client(fleet: &Fleet) -> Vec<String> {
    let kept = Arc::new(Mutex::new(None));
    let keeper = kept.clone();
    let replica = fleet.start(fleet.options("pod-a", 1), move |_widget: Arc<Widget>, held: Held| {
        *keeper.lock().unwrap() = Some(held);
        async { Ok::<_, Infallible>(Action::await_change()) }
    });
    create(&fleet.widgets, "w", &[]).await;
    fleet.reconciled(&["w".to_owned()]).await;
    let held: Held = kept.lock().unwrap().clone().unwrap();
    let api = kube::Api::<Widget>::namespaced(held.client(), fleet.env.namespace());
    api.get("w").await.expect("the client works while the shard is held");
    replica.terminate().await;
    match api.get("w").await {
        Err(error) if error.to_string().contains("was not sent") => Vec::new(),
        other => vec![format!("the client outlived its hold: {:?}", other.map(|widget| widget.name_any()))],
    }
}

/// A replica is started with another key label.
pub(crate) async fn other_key_label(fleet: &Fleet) -> Vec<String> {
    let first = fleet.start(fleet.options("pod-a", 4), quick);
    fleet.settle_at(&[4]).await;
    let other = fleet.start(fleet.options("pod-b", 4).with_key_label("tenant".to_owned()), quick);
    let readiness = || other.readiness.get();
    let refuses = || matches!(readiness(), Readiness::NotReady { because } if because.contains("set to the shard key label tenant"));
    // Either it says so, or it is ready for work.
    eventually("the second replica to make up its mind", DEADLINE, || async {
        (refuses() || readiness() == Readiness::Ready).then_some(())
    })
    .await;
    first.terminate().await;
    // Everything is free now, whatever the plan says, so one that does not refuse takes the shards it knows of.
    eventually("the second replica to refuse, or to hold a shard", DEADLINE, || async {
        let works = fleet.holders().await.values().any(|holder| *holder == other.identity);
        (refuses() || works).then_some(())
    })
    .await;
    // What one that refuses would take all the same, it takes within a RetryPeriod.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let leases = fleet.leases.list(&ListParams::default()).await.unwrap();
    let taken = leases.iter().filter(|lease| {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()) == Some(&other.identity)
    });
    let found =
        taken.map(|lease| format!("a replica with another layout holds {}", lease.name_any())).collect();
    other.terminate().await;
    found
}

/// A reconciler that takes more than a second, writes to its widget now and then, and wants to be called again.
pub(crate) async fn slow(widget: Arc<Widget>, held: Held) -> Result<Action, kube::Error> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"seen": held.token().to_string()}}}));
    let api = kube::Api::<Widget>::namespaced(held.client(), &widget.namespace().unwrap());
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        api.patch(&widget.name_any(), &PatchParams::default(), &patch).await?;
    }
    Ok(Action::requeue(Duration::from_millis(100)))
}

/// A reconciler with nothing to do.
pub(crate) async fn quick(_widget: Arc<Widget>, _held: Held) -> Result<Action, Infallible> {
    Ok(Action::await_change())
}

/// How many reconciles of each name run at this moment, in all replicas together, and the most there ever were.
#[derive(Clone, Default)]
pub(crate) struct ConcurrencyProbe(Arc<Mutex<BTreeMap<String, (u32, u32)>>>);

impl ConcurrencyProbe {
    pub(crate) async fn reconcile(self, widget: Arc<Widget>, _held: Held) -> Result<Action, Infallible> {
        let name = widget.name_any();
        {
            let mut running = self.0.lock().unwrap();
            let (now, most) = running.entry(name.clone()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        tokio::time::sleep(Duration::from_millis(400)).await;
        self.0.lock().unwrap().get_mut(&name).unwrap().0 -= 1;
        Ok(Action::await_change())
    }

    pub(crate) fn most(&self, name: &str) -> u32 {
        self.0.lock().unwrap()[name].1
    }
}

impl Fleet {
    /// Deletes the widget and creates it again as soon as the name is free. Returns the new one's uid.
    pub(crate) async fn replace(&self, name: &str, labels: &[(&str, &str)]) -> String {
        let old = self.widgets.get(name).await.unwrap().uid();
        self.widgets.delete(name, &DeleteParams::default()).await.unwrap();
        eventually("the name to be free", DEADLINE, || async {
            let left = self.widgets.get_opt(name).await.unwrap();
            left.is_none_or(|left| left.uid() != old).then_some(())
        })
        .await;
        create(&self.widgets, name, labels).await.uid().unwrap()
    }

    pub(crate) async fn begun(&self, uid: &str) {
        eventually("a reconcile of the new object to begin", DEADLINE, || async {
            self.records.of("begin").iter().any(|begin| begin["uid"] == uid).then_some(())
        })
        .await;
    }
}

/// Two labels whose buckets belong to different ones of two shards.
fn tenants_of_different_shards() -> (String, String) {
    let layout = shard_router::Layout::first(2.try_into().unwrap(), None);
    let shard = |tenant: &String| layout.shard_of(ShardKey::from(tenant.as_str()).bucket());
    let first = "tenant-0".to_owned();
    let other = (1..1000).map(|n| format!("tenant-{n}")).find(|tenant| shard(tenant) != shard(&first));
    (first, other.unwrap())
}

impl Fleet {
    pub(crate) async fn labelled(&self, name: &str, bucket: Bucket) -> Widget {
        eventually(&format!("{name} to carry the label of bucket {bucket}"), DEADLINE, || async {
            let widget = self.widgets.get(name).await.unwrap();
            (widget.labels().get(LABEL) == Some(&bucket.to_string())).then_some(widget)
        })
        .await
    }

    /// Resolves when so many reconciles have begun.
    pub(crate) async fn begins(&self, count: usize) {
        eventually(&format!("{count} reconciles to begin"), DEADLINE, || async {
            (self.records.of("begin").len() >= count).then_some(())
        })
        .await;
    }
}
