//! Replicas that write the ownership table, and what it says at each reconcile. (That the API server refuses whom it does not name is tested on a real one.)
#![allow(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use embedded_apiserver::EmbeddedServer;
use k8s_openapi::api::{coordination::v1::Lease, events::v1::Event};
use kube::{
    Api, CustomResourceExt, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;
use shard_router::{
    Action, Held, Options, Pod, Readiness, ReadinessProbe, ShardCount,
    fencing::{Fencing, OwnershipTable, Row, RowKey},
};
use tokio::sync::watch;

use crate::{
    clock::VirtualSeams,
    harness::{Harness, ID, NAMESPACE, Replica},
    widget::{Widget, create},
};

pub(crate) const WIDGETS: usize = 24;
const AGAIN: Duration = Duration::from_secs(2);

/// Replicas on an API server that has the table's definition.
pub(crate) struct Fenced {
    pub(crate) harness: Harness,
    pub(crate) tables: Api<OwnershipTable>,
    leases: Api<Lease>,
    wanted: watch::Sender<ShardCount>,
    seen: Arc<Mutex<Seen>>,
}

/// What reconciles have seen.
#[derive(Default)]
struct Seen {
    /// Which replica has reconciled which widget since this was last cleared.
    reconciled: BTreeMap<String, BTreeSet<String>>,
    /// Reconciles whose row of the table did not name the replica.
    without_row: Vec<String>,
}

/// One replica, and what it says of itself.
pub(crate) struct Running {
    pub(crate) replica: Replica,
    readiness: ReadinessProbe,
}

impl Running {
    /// Resolves when it is ready. It looks from time to time.
    pub(crate) async fn ready(&self) {
        let ready = tokio::time::timeout(Duration::from_secs(5), self.readiness.ready()).await;
        assert!(ready.is_ok(), "{:?}", self.not_ready());
    }

    /// Its process ends at once, and nothing of it arrives any more.
    fn kill(self) {
        self.replica.network.swallow(true);
        self.replica.task.abort();
    }

    pub(crate) fn not_ready(&self) -> Option<String> {
        match self.readiness.get() {
            Readiness::Ready => None,
            Readiness::NotReady { because } => Some(because),
        }
    }
}

pub(crate) fn uid(pod: &str) -> String {
    format!("uid-{pod}")
}

impl Fenced {
    pub(crate) async fn new(shards: u16) -> Self {
        let definitions = [&Widget::crd(), &OwnershipTable::definition()];
        let harness = Harness::on(EmbeddedServer::new(VirtualSeams::default()), definitions).await;
        for number in 0..WIDGETS {
            create(&harness.widgets, &format!("widget-{number}"), &[]).await;
        }
        let (admin, wanted) = (harness.admin(), watch::Sender::new(shards.try_into().unwrap()));
        let tables = Api::namespaced(admin.clone(), NAMESPACE);
        Self { tables, leases: Api::namespaced(admin, NAMESPACE), harness, wanted, seen: Arc::default() }
    }

    pub(crate) fn want(&self, shards: u16) {
        self.wanted.send_replace(shards.try_into().unwrap());
    }

    fn options(&self, pod: &str, fencing: Option<Fencing>) -> Options {
        let of = Pod { name: pod.to_owned(), uid: uid(pod), namespace: Some(NAMESPACE.to_owned()) };
        let options = self.harness.options(pod, 1).with_wanted_shards(self.wanted.subscribe());
        options.with_pod(of).with_fencing(fencing).with_stamp_delay(Duration::from_secs(4))
    }

    pub(crate) fn start(&self, pod: &str) -> Running {
        self.start_with(pod, Some(Fencing::default()))
    }

    pub(crate) fn start_with(&self, pod: &str, fencing: impl Into<Option<Fencing>>) -> Running {
        let (network, mut app) = self.harness.app(self.options(pod, fencing.into()));
        let readiness = app.readiness();
        let (seen, tables, pod) = (self.seen.clone(), self.tables.clone(), pod.to_owned());
        app.controller::<Widget>().run(move |widget: Arc<Widget>, held: Held| {
            let (seen, tables, pod) = (seen.clone(), tables.clone(), pod.clone());
            async move {
                let table = tables.get_opt(ID).await.unwrap();
                let key = held.bucket().unwrap().to_string();
                let row = table.as_ref().and_then(|table| table.spec.rows.get(&key));
                let names = |row: &Row| {
                    row.uid == uid(&pod)
                        && row.pod == pod
                        && row.shard == held.shard().map(|shard| shard.0)
                        && row.token >= held.token().0
                };
                let mut seen = seen.lock().unwrap();
                if !row.is_some_and(names) {
                    seen.without_row.push(format!("{pod} works on bucket {key} with {row:?}"));
                }
                seen.reconciled.entry(pod).or_default().insert(widget.name_any());
                Ok::<_, Infallible>(Action::requeue(AGAIN))
            }
        });
        Running { replica: Harness::spawn(network, app), readiness }
    }

    /// Resolves when these replicas together have reconciled everything from now on.
    pub(crate) async fn all_reconciled_by(&self, pods: &[&str]) {
        self.seen.lock().unwrap().reconciled.clear();
        let all = || async {
            let seen = self.seen.lock().unwrap();
            let by = pods.iter().filter_map(|pod| seen.reconciled.get(*pod)).flatten();
            by.collect::<BTreeSet<_>>().len() == WIDGETS
        };
        self.harness.until(&format!("{pods:?} to reconcile everything"), all).await;
    }

    /// The widgets that have been reconciled within so long.
    pub(crate) async fn reconciled_within(&self, time: Duration) -> usize {
        self.seen.lock().unwrap().reconciled.clear();
        self.harness.clock.sleep(time).await;
        let seen = self.seen.lock().unwrap();
        seen.reconciled.values().flatten().collect::<BTreeSet<_>>().len()
    }

    /// Reconciles so far whose row did not name the replica.
    pub(crate) fn without_row(&self) -> Vec<String> {
        self.seen.lock().unwrap().without_row.clone()
    }

    pub(crate) async fn rows(&self) -> BTreeMap<String, Row> {
        self.tables.get_opt(ID).await.unwrap().map(|table| table.spec.rows).unwrap_or_default()
    }

    /// Who holds which Lease, by the end of its name.
    async fn holders(&self) -> BTreeMap<String, String> {
        let leases = self.leases.list(&ListParams::default()).await.unwrap();
        let of = |lease: Lease| {
            let holder = lease.spec?.holder_identity?.split('_').next()?.to_owned();
            let name = lease.metadata.name?;
            Some((name.strip_prefix(ID)?.to_owned(), holder))
        };
        leases.items.into_iter().filter_map(of).collect()
    }

    /// The rows that do not name who holds the Lease.
    pub(crate) async fn wrong_rows(&self) -> Vec<String> {
        let (rows, holders) = (self.rows().await, self.holders().await);
        let lease = |row: &Row| row.shard.map_or(String::new(), |shard| format!("-shard-{shard}"));
        let is_wrong = |(_, row): &(&String, &Row)| holders.get(&lease(row)) != Some(&row.pod);
        rows.iter().filter(is_wrong).map(|(key, row)| format!("{key}: {row:?}")).collect()
    }

    /// Resolves when the table has all rows, each of which names who holds the Lease.
    pub(crate) async fn all_rows_are_right(&self) -> Duration {
        let begun = self.harness.clock.now().monotonic;
        let right = || async { self.rows().await.len() == 258 && self.wrong_rows().await.is_empty() };
        self.harness.until("all rows to name the holders", right).await;
        self.harness.clock.now().monotonic.duration_since(begun)
    }

    /// Writes a row of somebody who does not exist.
    pub(crate) async fn edit(&self, key: RowKey, token: u64) {
        let row = json!({"pod": "nobody", "uid": "none", "token": token});
        let patch = Patch::Merge(json!({"spec": {"rows": {key.to_string(): row}}}));
        self.tables.patch(ID, &PatchParams::default(), &patch).await.unwrap();
    }

    pub(crate) async fn delete_table(&self) {
        self.tables.delete(ID, &DeleteParams::default()).await.unwrap();
    }

    pub(crate) async fn events(&self) -> BTreeSet<String> {
        let events: Api<Event> = Api::namespaced(self.harness.admin(), NAMESPACE);
        let events = events.list(&ListParams::default()).await.unwrap();
        events.items.into_iter().filter_map(|event| event.reason).collect()
    }
}

/// A replica starts, another one joins it, the first dies, and then the number of shards grows and shrinks. Returns the reconciles whose row did not name the replica.
pub(crate) async fn work_without_a_row() -> Vec<String> {
    let fenced = Fenced::new(4).await;
    let first = fenced.start("op-0");
    // It has shards for a while before it can write its rows.
    first.replica.network.forbid(Some("ownershiptables"));
    let holds = || async { fenced.holders().await.get("-shard-3").is_some_and(|holder| holder == "op-0") };
    fenced.harness.until("op-0 to hold a shard", holds).await;
    fenced.harness.clock.sleep(Duration::from_secs(2)).await;
    first.replica.network.forbid(None);
    fenced.all_reconciled_by(&["op-0"]).await;
    let second = fenced.start("op-1");
    fenced.harness.clock.sleep(Duration::from_secs(30)).await;
    fenced.all_reconciled_by(&["op-0", "op-1"]).await;
    first.kill();
    fenced.all_reconciled_by(&["op-1"]).await;
    for shards in [7, 3] {
        fenced.want(shards);
        fenced.harness.clock.sleep(Duration::from_secs(60)).await;
        fenced.all_reconciled_by(&["op-1"]).await;
        fenced.all_rows_are_right().await;
    }
    drop(second);
    fenced.without_row()
}

/// Shards have been handed over when somebody deletes the table. Returns every row that was written afterwards and does not name the holder.
///
/// If the present holder is the first to write, its larger tokens keep a former one from writing anything. So it comes second in some of the rounds.
pub(crate) async fn rows_of_former_holders() -> Vec<String> {
    let fenced = Fenced::new(4).await;
    let _first = fenced.start("op-0");
    fenced.all_reconciled_by(&["op-0"]).await;
    let second = fenced.start("op-1");
    fenced.harness.clock.sleep(Duration::from_secs(60)).await;
    fenced.all_rows_are_right().await;
    let mut wrong = Vec::new();
    for comes_second in [false, true, true] {
        second.replica.network.forbid(comes_second.then_some("ownershiptables"));
        fenced.delete_table().await;
        for _ in 0..300 {
            fenced.harness.clock.sleep(Duration::from_millis(2)).await;
            wrong.extend(fenced.wrong_rows().await);
        }
        second.replica.network.forbid(None);
        fenced.all_rows_are_right().await;
    }
    wrong
}

/// A row has a token that no write has reached yet. Returns how many widgets are reconciled meanwhile in its bucket, and what the replica says.
pub(crate) async fn later_owner() -> (Vec<String>, Option<String>) {
    let fenced = Fenced::new(2).await;
    let first = fenced.start("op-0");
    fenced.all_reconciled_by(&["op-0"]).await;
    first.kill();
    let bucket = fenced.harness.widgets.get("widget-0").await.unwrap().labels()[crate::widget::LABEL].clone();
    fenced.edit(RowKey::parse(&bucket).unwrap(), 1 << 60).await;
    let second = fenced.start("op-1");
    fenced.harness.clock.sleep(Duration::from_secs(60)).await;
    let works = fenced.without_row();
    let says = second.not_ready();
    if works.is_empty() {
        assert!(fenced.reconciled_within(Duration::from_secs(5)).await > WIDGETS / 2, "other buckets go on");
        fenced.delete_table().await;
        fenced.all_reconciled_by(&["op-1"]).await;
        fenced.all_rows_are_right().await;
    }
    (works, says)
}

/// A replica that does not coordinate, while the coordinator stamps nothing. Returns whether a new widget gets a bucket.
pub(crate) async fn stamped_by_another() -> bool {
    let fenced = Fenced::new(2).await;
    let first = fenced.start("op-0");
    fenced.all_reconciled_by(&["op-0"]).await;
    let _second = fenced.start("op-1");
    fenced.harness.clock.sleep(Duration::from_secs(30)).await;
    // It renews its Leases by watches and requests that go on, and its stamps get lost.
    first.replica.network.lose(Some("widgets"));
    create(&fenced.harness.widgets, "new", &[]).await;
    fenced.harness.clock.sleep(Duration::from_secs(12)).await;
    let coordinator = fenced.holders().await.get("").cloned();
    let stamped =
        fenced.harness.widgets.get("new").await.unwrap().labels().contains_key(crate::widget::LABEL);
    stamped && coordinator.as_deref() == Some("op-0")
}
