//! A resource that is deleted and created again under the same name.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{ResourceExt, api::DeleteParams};
use kube_testkit::eventually;
use shard_router::{Action, Held, ShardKey};

use crate::{
    fleet::{Fleet, PATIENCE, assert_no_violations},
    widget::{LABEL, Widget, create},
};

/// How many reconciles of each name run at this moment, in all replicas together, and the most there ever were.
#[derive(Clone, Default)]
struct Witness(Arc<Mutex<BTreeMap<String, (u32, u32)>>>);

impl Witness {
    async fn reconcile(self, widget: Arc<Widget>, _held: Held) -> Result<Action, Infallible> {
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

    fn most(&self, name: &str) -> u32 {
        self.0.lock().unwrap()[name].1
    }
}

impl Fleet {
    /// Deletes the widget and creates it again as soon as the name is free. Returns the new one's uid.
    async fn replace(&self, name: &str, labels: &[(&str, &str)]) -> String {
        let old = self.widgets.get(name).await.unwrap().uid();
        self.widgets.delete(name, &DeleteParams::default()).await.unwrap();
        eventually("the name to be free", PATIENCE, || async {
            let left = self.widgets.get_opt(name).await.unwrap();
            left.is_none_or(|left| left.uid() != old).then_some(())
        })
        .await;
        create(&self.widgets, name, labels).await.uid().unwrap()
    }

    async fn begun(&self, uid: &str) {
        eventually("a reconcile of the new object to begin", PATIENCE, || async {
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
    let other = (1..).map(|n| format!("tenant-{n}")).find(|tenant| shard(tenant) != shard(&first));
    (first, other.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_key_label_the_name_stays_taken_until_the_last_reconcile_has_ended() {
    let Some(fleet) = Fleet::new("finalizers and names are its own").await else { return };
    let witness = Witness::default();
    let reconciler = |witness: &Witness| {
        let witness = witness.clone();
        move |widget, held| witness.clone().reconcile(widget, held)
    };
    let mut replicas = Vec::new();
    for pod in ["pod-a", "pod-b"] {
        let mut options = fleet.options(pod, 2);
        options.key_label = Some("tenant".into());
        replicas.push(fleet.start(options, reconciler(&witness)));
    }
    fleet.settle_at(&[1, 1]).await;
    let (blue, green) = tenants_of_different_shards();
    create(&fleet.widgets, "w", &[("tenant", &blue)]).await;
    for round in 0..6 {
        let uid = fleet.widgets.get("w").await.unwrap().uid().unwrap();
        // Deleted while a reconcile runs, and then created again with a key of the other replica's shard.
        fleet.begun(&uid).await;
        let tenant = if round % 2 == 0 { &green } else { &blue };
        fleet.replace("w", &[("tenant", tenant)]).await;
    }
    let last = fleet.widgets.get("w").await.unwrap().uid().unwrap();
    fleet.begun(&last).await;
    assert_eq!(witness.most("w"), 1, "two replicas reconciled one name at once");
    for replica in replicas {
        replica.terminate().await;
    }
    assert_no_violations(&fleet.records);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_label_a_namesake_falls_to_the_same_shard_and_needs_no_finalizer() {
    let Some(fleet) = Fleet::new("finalizers and names are its own").await else { return };
    let witness = Witness::default();
    let reconciler = witness.clone();
    let replica =
        fleet.start(fleet.options("pod-a", 2), move |widget, held| reconciler.clone().reconcile(widget, held));
    let first = create(&fleet.widgets, "w", &[]).await.uid().unwrap();
    fleet.begun(&first).await;
    assert!(fleet.widgets.get("w").await.unwrap().finalizers().is_empty());
    let bucket = fleet.widgets.get("w").await.unwrap().labels()[LABEL].clone();
    let second = fleet.replace("w", &[]).await;
    fleet.begun(&second).await;
    assert_eq!(fleet.widgets.get("w").await.unwrap().labels()[LABEL], bucket);
    assert_eq!(witness.most("w"), 1);
    replica.terminate().await;
    assert_no_violations(&fleet.records);
}
