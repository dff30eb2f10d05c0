//! A replica that is killed while a write of it is on its way, and the process that starts in its place.
#![allow(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap};
use kube::{Api, ResourceExt, api::ListParams};
use lease_core::{EndedProcesses, Identity, Timings};
use overlap_checker::{
    Fault, JudgedResource, Owner, Verdict,
    records::{BootTime, RecordLog, Replica as Process, Stamp},
};
use shard_router::{Action, Held, RecordSink};
use tokio::sync::watch;

use crate::{
    harness::{Harness, ID, NAMESPACE, Replica},
    judged_run::{Lines, Run},
    widget::{Widget, create},
};

const SHARDS: u16 = 4;
const WIDGETS: usize = 16;
/// How long a write is on its way. The promise assumes that it is no longer than LeaseDuration − RenewDeadline.
const TRANSIT: Duration = Duration::from_millis(4500);
const AGAIN: Duration = Duration::from_secs(1);

/// What the process that starts in the same place finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finds {
    /// The lock is free: the process before it was killed.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    FreeLock,
    /// The same, and the replica besides is cut off.
    FreeLockBesideAnotherCutOff,
    /// The process before it holds the lock, and is cut off.
    HeldLock,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// From the start of the second process until it held all shards of the first, if it did so within LeaseDuration.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) taken_back_after: Option<Duration>,
    /// The members that others see a moment after the start of the second process.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) members: BTreeSet<String>,
}

/// A process whose records end with it.
struct Mortal {
    lines: Lines,
    lives: watch::Receiver<bool>,
}

impl RecordSink for Mortal {
    fn write_line(&self, line: &str) -> io::Result<()> {
        if *self.lives.borrow() { self.lines.write_line(line) } else { Ok(()) }
    }
}

/// Starts a process that writes into a child of each of its widgets again and again.
fn start(run: &Run, identity: &Identity, ended: EndedProcesses) -> (Replica, watch::Sender<bool>) {
    let (life, lives) = watch::channel(true);
    let mut options = run.harness.options("op", SHARDS);
    options.resync = None;
    options.elections.identity = identity.clone();
    options.elections.ended = ended;
    let options = options.with_watch_namespaces([NAMESPACE]);
    let options =
        options.with_records(Arc::new(Mortal { lines: run.records.clone(), lives }) as Arc<dyn RecordSink>);
    let (network, mut app) = run.harness.app(options);
    let clock = run.harness.clock.clone();
    app.controller::<Widget>().owns::<ConfigMap>().run(move |widget: Arc<Widget>, held: Held| {
        let now = clock.now().monotonic.since_origin().as_millis();
        async move {
            let mut child = ConfigMap::default();
            child.metadata.name = Some(format!("{}-child", widget.name_any()));
            child.metadata.namespace = widget.namespace();
            child.data = Some([("at".to_owned(), now.to_string())].into());
            held.apply_owned(widget.as_ref(), child).await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(Action::requeue(AGAIN))
        }
    });
    (Harness::spawn(network, app), life)
}

/// Two replicas share the shards. One of them is taken away, and another process starts in its place.
pub(crate) async fn run(finds: Finds) -> Outcome {
    let run = Run::new().await;
    let harness = &run.harness;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let [first, second, besides] =
        [("op-0", "1"), ("op-0", "2"), ("op-1", "1")].map(|(pod, life)| Identity::of_pod(pod, life).unwrap());
    let (old, life) = start(&run, &first, EndedProcesses::default());
    let (other, _other_life) = start(&run, &besides, EndedProcesses::default());
    let half = usize::from(SHARDS) / 2;
    let is_shared =
        || async { held(harness, &first).await.len() == half && held(harness, &besides).await.len() == half };
    harness.until("both to hold their shards", is_shared).await;
    let all_begun =
        || async { run.reconciled_by("op-1", 0).len() + run.reconciled_by("op-0", 0).len() >= WIDGETS };
    harness.until("all widgets to be reconciled", all_begun).await;
    harness.clock.sleep(Timings::standard().takeover_bound()).await;
    let shards = held(harness, &first).await;

    old.network.hold_up_writes(Some(TRANSIT));
    harness.clock.sleep(2 * AGAIN).await;
    // The last thing that it sends: some of the writes are on their way.
    old.network.swallow(true);
    let lives = finds == Finds::HeldLock;
    let ended_at = stamp(&run);
    if !lives {
        life.send_replace(false);
        old.task.abort();
    }
    if finds == Finds::FreeLockBesideAnotherCutOff {
        other.network.swallow(true);
    }
    harness.clock.sleep(AGAIN / 2).await;
    let begun = harness.clock.now().monotonic;
    let timings = Timings::standard();
    let ended = EndedProcesses::proven_by_lock(!lives, begun, [(first.clone(), timings.longest_transit())]);
    let (new, _new_life) = start(&run, &second, ended);
    // Otherwise its writes come first, and their versions keep those of the process before from being accepted.
    new.network.hold_up_writes(Some(TRANSIT));
    harness.clock.sleep(AGAIN / 2).await;
    let members = members(harness).await;
    let mut taken_back_after = None;
    while taken_back_after.is_none() && harness.clock.now().monotonic < begun + timings.lease_duration() {
        harness.clock.sleep(Duration::from_millis(20)).await;
        if held(harness, &second).await.is_superset(&shards) {
            taken_back_after = Some(harness.clock.now().monotonic.duration_since(begun));
        }
    }
    harness.clock.sleep(2 * timings.takeover_bound()).await;
    drop(new.stop);
    new.task.await.unwrap().unwrap();
    let ended = Fault { replica: Process(first.to_string()), at: ended_at };
    let ended = if lives { Vec::new() } else { vec![ended] };
    let judged = vec![
        JudgedResource::new("test.shard-router.dev", "widgets", Owner::Itself),
        JudgedResource::new("", "configmaps", Owner::Suffix("-child".into())),
    ];
    let verdict = run.judge_with(judged, ended, timings.longest_transit());
    Outcome { verdict, taken_back_after, members }
}

/// The shards that this process holds.
async fn held(harness: &Harness, identity: &Identity) -> BTreeSet<String> {
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let all = leases.list(&ListParams::default()).await.unwrap();
    let of_shard =
        all.items.into_iter().filter(|lease| lease.name_any().starts_with(&format!("{ID}-shard-")));
    of_shard.filter(|lease| holder(lease) == Some(identity.as_str())).map(|lease| lease.name_any()).collect()
}

async fn members(harness: &Harness) -> BTreeSet<String> {
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let all = leases.list(&ListParams::default()).await.unwrap();
    let of_members = all.items.iter().filter(|lease| lease.name_any().starts_with(&format!("{ID}-member-")));
    of_members.filter_map(holder).map(str::to_owned).collect()
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

/// Now, as the records would have it.
fn stamp(run: &Run) -> Stamp {
    let mut records = RecordLog::default();
    records.read_str("memory", &run.records.text());
    let boot = run.harness.clock.now().boottime.since_origin().as_nanos();
    Stamp { boot: BootTime(u64::try_from(boot).unwrap()), boot_id: records.records[0].boot_id.clone() }
}
