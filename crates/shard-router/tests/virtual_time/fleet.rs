//! Replicas whose wanted number of shards changes at run time, and what the checker says of them.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use overlap_checker::{Observations, Rules, Timeline, Verdict, judge, records::RecordLog};
use shard_router::{Action, Held, Layout, Options, RecordSink, ShardCount, ShardId};
use tokio::sync::watch;

use crate::{
    harness::{Harness, ID, NAMESPACE, Replica},
    widget::{Widget, create},
};

const LAYOUT: &str = "test.shard-router.dev/layout";
const WIDGETS: usize = 48;
const AGAIN: Duration = Duration::from_millis(200);

/// How long a reconcile takes in a shard.
type Takes = fn(ShardId) -> Duration;

/// Those of different shards do not keep time with each other, so that some run at any instant.
pub(crate) fn quick(shard: ShardId) -> Duration {
    Duration::from_millis(280 + 10 * u64::from(shard.0 % 8))
}

/// The records of all replicas.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl RecordSink for Lines {
    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.lock().expect("no panic").push(line.to_owned());
        Ok(())
    }
}

/// Replicas whose wanted number of shards changes at run time.
pub(crate) struct Fleet {
    pub(crate) harness: Harness,
    pub(crate) leases: Api<Lease>,
    wanted: watch::Sender<ShardCount>,
    records: Lines,
    pub(crate) replicas: BTreeMap<&'static str, Replica>,
    versions: BTreeMap<String, Option<String>>,
    takes: Takes,
}

/// What became of a change.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// The longest time for which a widget was not reconciled by anyone, from the end of one reconcile to the begin of the next.
    pub(crate) longest_wait: Duration,
    /// Widgets that were written.
    pub(crate) rewritten: Vec<String>,
}

pub(crate) fn count(shards: u16) -> ShardCount {
    shards.try_into().expect("a number of shards")
}

impl Fleet {
    /// Starts these replicas with so many shards, and waits until every widget is reconciled.
    pub(crate) async fn start(pods: &[&'static str], shards: u16) -> Self {
        Self::reconciling(pods, shards, quick).await
    }

    /// The same, with reconciles that take so long.
    pub(crate) async fn reconciling(pods: &[&'static str], shards: u16, takes: Takes) -> Self {
        let harness = Harness::new().await;
        for number in 0..WIDGETS {
            create(&harness.widgets, &format!("widget-{number}"), &[]).await;
        }
        let leases = Api::namespaced(harness.admin(), NAMESPACE);
        let (wanted, records) = (watch::Sender::new(count(shards)), Lines::default());
        let (replicas, versions) = (BTreeMap::new(), BTreeMap::new());
        let mut fleet = Self { harness, leases, wanted, records, replicas, versions, takes };
        for pod in pods {
            fleet.add(pod);
        }
        fleet.settled(shards).await;
        fleet.all_reconciled().await;
        fleet.harness.clock.sleep(Duration::from_secs(5)).await;
        fleet.versions = fleet.resource_versions().await;
        fleet
    }

    /// Starts a replica that wants what the others want.
    pub(crate) fn add(&mut self, pod: &'static str) {
        let options = self.harness.options(pod, 1).with_wanted_shards(self.wanted.subscribe());
        self.add_with(pod, options);
    }

    pub(crate) fn add_with(&mut self, pod: &'static str, options: Options) {
        let (clock, takes) = (self.harness.clock.clone(), self.takes);
        let records: Arc<dyn RecordSink> = Arc::new(self.records.clone());
        // Nothing waits for its turn.
        let options = options.with_records(records).with_concurrency_per_shard(WIDGETS);
        let replica = self.harness.start(options, move |_: Arc<Widget>, held: Held| {
            let clock = clock.clone();
            async move {
                clock.sleep(takes(held.shard().expect("widgets are sharded"))).await;
                Ok::<_, Infallible>(Action::requeue(AGAIN))
            }
        });
        self.replicas.insert(pod, replica);
    }

    pub(crate) fn want(&self, shards: u16) {
        self.wanted.send_replace(count(shards));
    }

    /// The committed layout.
    pub(crate) async fn layout(&self) -> Option<Layout> {
        let lease = self.leases.get_opt(ID).await.expect("read")?;
        lease.annotations().get(LAYOUT).map(|json| serde_json::from_str(json).expect("a layout"))
    }

    /// The names of the shard Leases.
    pub(crate) async fn shard_leases(&self) -> Vec<Lease> {
        let all = self.leases.list(&ListParams::default()).await.expect("listed").items;
        all.into_iter().filter(|lease| lease.name_any().starts_with(&format!("{ID}-shard-"))).collect()
    }

    /// Resolves when a layout with so many shards is settled, and exactly their Leases exist and are held.
    pub(crate) async fn settled(&self, shards: u16) {
        let settled = || async {
            let layout = self.layout().await;
            let leases = self.shard_leases().await;
            layout.is_some_and(|layout| layout.settled && layout.shards == count(shards))
                && leases.len() == usize::from(shards)
                && leases.iter().all(|lease| {
                    let holder = lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
                    holder.is_some_and(|holder| holder.starts_with("op-"))
                })
        };
        self.harness.until(&format!("{shards} shards to be settled"), settled).await;
    }

    /// Resolves when generation `number` is committed.
    pub(crate) async fn committed(&self, number: u64) {
        let committed = || async { self.layout().await.is_some_and(|layout| layout.generation >= number) };
        self.harness.until(&format!("generation {number} to be committed"), committed).await;
    }

    /// Resolves when every widget has been reconciled from now on.
    pub(crate) async fn all_reconciled(&self) {
        let from = self.records.0.lock().expect("no panic").len();
        let all = || async {
            let lines = self.records.0.lock().expect("no panic");
            let ends = lines[from..].iter().filter(|line| line.contains(r#""record":"end""#));
            let mut crs: Vec<_> = ends.map(|line| cr(line)).collect();
            crs.sort_unstable();
            crs.dedup();
            crs.len() == WIDGETS
        };
        self.harness.until("every widget to be reconciled", all).await;
    }

    /// Lets a replica end in good order.
    pub(crate) async fn end(&mut self, pod: &str) {
        let replica = self.replicas.remove(pod).expect("it runs");
        replica.stop.send(()).expect("it runs");
        replica.task.await.expect("no panic").expect("ended in good order");
    }

    /// Kills a replica: it sends nothing any more, and what it was doing ends nowhere.
    pub(crate) fn kill(&mut self, pod: &str) {
        let replica = self.replicas.remove(pod).expect("it runs");
        replica.task.abort();
        replica.network.swallow(true);
    }

    /// The Lease of a shard from this number on, and its holder, which is not the coordinator, and holds as few shards below as possible.
    pub(crate) async fn shard_of_another(&self, from: u16, shards: u16) -> (String, &'static str) {
        let coordinator = self.holder(ID).await;
        let mut holders = Vec::new();
        for shard in 0..shards {
            let lease = format!("{ID}-shard-{shard}");
            holders.push((shard, self.holder(&lease).await, lease));
        }
        let below = |of: Option<&str>| {
            holders.iter().filter(|(shard, holder, _)| *shard < from && *holder == of).count()
        };
        let others = holders.iter().filter(|(shard, holder, _)| *shard >= from && *holder != coordinator);
        let (_, holder, lease) = others.min_by_key(|(_, holder, _)| below(*holder)).expect("another holder");
        (lease.clone(), holder.expect("somebody holds it"))
    }

    /// The replica that holds the Lease of this name.
    pub(crate) async fn holder(&self, lease: &str) -> Option<&'static str> {
        let lease = self.leases.get_opt(lease).await.expect("read")?;
        let holder = lease.spec?.holder_identity?;
        self.replicas.keys().copied().find(|pod| holder.starts_with(pod))
    }

    pub(crate) async fn delete(&self, lease: &str) {
        self.leases.delete(lease, &DeleteParams::default()).await.expect("deleted");
    }

    async fn resource_versions(&self) -> BTreeMap<String, Option<String>> {
        let widgets = self.harness.widgets.list(&ListParams::default()).await.expect("listed");
        widgets.iter().map(|widget| (widget.name_any(), widget.resource_version())).collect()
    }

    /// Lets the replicas work for a while, and judges.
    pub(crate) async fn finish(self) -> Outcome {
        self.all_reconciled().await;
        let after = self.resource_versions().await;
        let changed = |name: &&String| after.get(*name) != self.versions.get(*name);
        let rewritten = self.versions.keys().filter(changed).cloned().collect();
        let mut records = RecordLog::default();
        let text = self.records.0.lock().expect("no panic").join("\n");
        records.read_str("all", &text);
        let timeline = Timeline::new(&records.records);
        let mut waits = BTreeMap::<_, Vec<_>>::new();
        for reconcile in &timeline.reconciles {
            waits.entry(reconcile.cr.clone()).or_default().push(reconcile.ran);
        }
        let gaps = waits.values().flat_map(|ran| ran.windows(2).map(|pair| pair[1].from.since(pair[0].to)));
        let longest_wait = gaps.max().expect("some reconciles");
        let verdict = judge(&Observations { records, ..Observations::default() }, &Rules::default());
        Outcome { verdict, longest_wait, rewritten }
    }
}

fn cr(line: &str) -> String {
    let line: serde_json::Value = serde_json::from_str(line).expect("a record");
    line["cr"].as_str().expect("a name").to_owned()
}

impl Outcome {
    /// Panics unless no widget had two owners, none was written, and none waited for longer than this.
    pub(crate) fn check(&self, bound: Duration) {
        self.check_owners(bound);
        assert!(self.rewritten.is_empty(), "written: {:?}", self.rewritten);
    }

    /// Panics unless no widget had two owners, and none waited for longer than this.
    pub(crate) fn check_owners(&self, bound: Duration) {
        println!("longest wait {:?}", self.longest_wait);
        assert!(self.verdict.passed(), "{}\n{}", self.objections(), self.verdict);
        assert!(
            self.longest_wait <= bound,
            "a widget waited for {:?}, and the bound is {bound:?}",
            self.longest_wait
        );
    }

    /// What the checker objects to, each with the name of its check.
    pub(crate) fn objections(&self) -> String {
        let checks = self.verdict.checks.iter().filter(|check| !check.violations.is_empty());
        let named = checks.map(|check| format!("{}: {}", check.name, check.violations[0].sentence));
        named.collect::<Vec<_>>().join("\n")
    }
}
