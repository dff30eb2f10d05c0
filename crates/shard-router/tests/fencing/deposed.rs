//! Whole replicas that write the ownership table, with tokens that are bound to their Pods. One of them is cut off again and again while writes of it are on their way, until the other one has taken
//! over and written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use kube_testkit::{Proxy, eventually};
use lease_core::{ElectionsOptions, Identity, LeaderElectionId, OnOverrun, Timings};
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::json;
use shard_router::{Action, Held, Metrics, Options, Pod, RunError, ShardedApp, fencing::Fencing};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    installation::{DEADLINE, ID, Installation, Replica},
    widget::{Widget, create},
};

const WIDGETS: usize = 24;
const HANDOVERS: usize = 6;

/// A replica that runs behind a network of its own.
struct Running {
    name: &'static str,
    proxy: Proxy,
    metrics: Registry,
    /// Of the same Pod by the same network. Nothing in it stops a write when the Lease is lost.
    ungated: Client,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), RunError>>,
}

struct Scene {
    at: Installation,
    widgets: Api<Widget>,
    /// Writes of an owner that were refused for good.
    refused: Arc<Mutex<Vec<String>>>,
}

fn by(who: &str) -> Patch<serde_json::Value> {
    Patch::Merge(json!({"metadata": {"annotations": {"by": who}}}))
}

impl Running {
    /// The value of this metric.
    fn metric(&self, name: &str) -> String {
        let mut text = String::new();
        encode(&mut text, &self.metrics).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("shard_router_{name} ")));
        line.and_then(|line| line.split(' ').nth(1)).unwrap_or("none").to_owned()
    }
}

impl Scene {
    async fn new() -> Option<Self> {
        let at = Installation::new().await?;
        let widgets: Api<Widget> = at.api(&at.env.admin());
        for number in 0..WIDGETS {
            create(&widgets, &format!("widget-{number}"), &[]).await;
        }
        Some(Self { at, widgets, refused: Arc::default() })
    }

    fn options(&self, replica: &Replica, fencing: Option<Fencing>) -> Options {
        let (name, namespace) = (replica.pod.name_any(), self.at.env.namespace());
        let identity = Identity::of_pod(&name, "1").unwrap();
        let mut elections = ElectionsOptions::new(LeaderElectionId::new(ID).unwrap(), namespace, identity);
        elections.timings = Timings::fast();
        elections.on_overrun = OnOverrun::Call(Arc::new(|why| panic!("{why}")));
        let pod = Pod { name, uid: replica.pod.uid().unwrap(), namespace: Some(namespace.to_owned()) };
        Options::for_crd::<Widget>(elections)
            .with_shards(2.try_into().unwrap())
            .with_watch_namespaces([namespace])
            .with_pod(pod)
            .with_fencing(fencing)
    }

    async fn start(&self, name: &'static str, fencing: Option<Fencing>) -> Running {
        let replica = self.at.replica(name).await;
        let proxy = self.at.env.proxy().unwrap();
        let ungated = replica.client_via(&self.at.env, &proxy);
        let mut app =
            ShardedApp::new(replica.config_via(&self.at.env, &proxy), self.options(&replica, fencing));
        let mut metrics = Registry::default();
        app = app.metrics(Metrics::register(&mut metrics));
        let (refused, namespace) = (self.refused.clone(), self.at.env.namespace().to_owned());
        app.controller::<Widget>().run(move |widget: Arc<Widget>, held: Held| {
            let (refused, namespace) = (refused.clone(), namespace.clone());
            async move {
                let widgets: Api<Widget> = Api::namespaced(held.client(), &namespace);
                // Without preconditions, as of an operator that uses none.
                let written = widgets.patch(&widget.name_any(), &PatchParams::default(), &by(name)).await;
                if let Err(error) = &written
                    && error.to_string().contains("fenced: ")
                    && held.remaining().is_some()
                {
                    refused.lock().unwrap().push(format!("{name}: {error}"));
                }
                written.map(|_| Action::requeue(Duration::from_millis(200)))
            }
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(app.run(async { drop(stopped.await) }));
        Running { name, proxy, metrics, ungated, stop, task }
    }

    /// Who has written each widget last.
    async fn writers(&self) -> BTreeMap<String, String> {
        let widgets = self.widgets.list(&ListParams::default()).await.unwrap();
        let of = |widget: Widget| Some((widget.name_any(), widget.metadata.annotations?.remove("by")?));
        widgets.items.into_iter().filter_map(of).collect()
    }

    async fn all_written_by(&self, name: &str) {
        eventually(&format!("{name} to write all widgets"), DEADLINE, || async {
            let writers = self.writers().await;
            (writers.len() == WIDGETS && writers.values().all(|by| by == name)).then_some(())
        })
        .await;
    }

    /// Resolves when both write widgets.
    async fn shared(&self, pair: &[Running; 2]) {
        eventually("both replicas to write widgets", DEADLINE, || async {
            let writers = self.writers().await;
            let has_written = |running: &Running| writers.values().any(|by| by == running.name);
            (writers.len() == WIDGETS && pair.iter().all(has_written)).then_some(())
        })
        .await;
    }

    /// Cuts a replica off while it sends a write to each widget that it owns. Returns how many writes that were, and how many are accepted after the other replica has taken over and
    /// written.
    async fn cut_off(&self, old: &Running, new: &Running) -> [usize; 2] {
        // The connection is there, so that nothing but the writes waits in the proxy.
        let of_old: Api<Widget> = self.at.api(&old.ungated);
        of_old.get("widget-0").await.unwrap();
        old.proxy.hang();
        let writers = self.writers().await;
        let owned = writers.into_iter().filter(|(_, by)| by == old.name).map(|(widget, _)| widget);
        let late: Vec<_> = owned
            .map(|widget| {
                let of_old = of_old.clone();
                tokio::spawn(async move { of_old.patch(&widget, &PatchParams::default(), &by("late")).await })
            })
            .collect();
        self.all_written_by(new.name).await;
        old.proxy.resume();
        let (sent, mut landed) = (late.len(), 0);
        for write in late {
            match write.await.unwrap() {
                Ok(_) => landed += 1,
                Err(kube::Error::Api(status)) if status.message.contains("fenced: ") => {}
                Err(error) => panic!("neither accepted nor refused by the policy: {error}"),
            }
        }
        [sent, landed]
    }
}

/// What became of writes that arrived after a handover.
struct Outcome {
    sent: usize,
    landed: usize,
    /// Writes of owners that were refused for good.
    refused: Vec<String>,
}

async fn outcome(fences: bool) -> Option<Outcome> {
    let scene = Scene::new().await?;
    let fencing = fences.then(|| Fencing::default().with_required(true));
    if fences {
        scene.at.install(&scene.at.policy().required(true).objects().unwrap()).await;
    }
    let pair = [scene.start("pod-a", fencing).await, scene.start("pod-b", fencing).await];
    let (mut sent, mut landed) = (0, 0);
    for handover in 0..HANDOVERS {
        scene.shared(&pair).await;
        let [old, new] = if handover % 2 == 0 { [0, 1] } else { [1, 0] };
        let [of_handover, accepted] = scene.cut_off(&pair[old], &pair[new]).await;
        sent += of_handover;
        landed += accepted;
    }
    for running in pair {
        assert!(!running.task.is_finished());
        let _ = running.stop.send(());
        tokio::time::timeout(DEADLINE, running.task).await.expect("it ends").unwrap().unwrap();
    }
    let refused = scene.refused.lock().unwrap().clone();
    println!("with fencing {fences}: {landed} of {sent} late writes landed");
    Some(Outcome { sent, landed, refused })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_writes_of_a_deposed_replica_are_refused_and_those_of_owners_are_not() {
    let Some(outcome) = outcome(true).await else { return };
    assert_eq!(outcome.landed, 0);
    assert!(outcome.sent >= 50, "{}", outcome.sent);
    assert_eq!(outcome.refused, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_writes_of_a_deposed_replica_land_without_fencing() {
    let Some(outcome) = outcome(false).await else { return };
    assert_eq!(outcome.landed, outcome.sent);
    assert!(outcome.sent >= 50, "{}", outcome.sent);
}

/// It is found out by itself, within two checks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_the_policies_work_is_told() {
    let Some(scene) = Scene::new().await else { return };
    let pair = [
        scene.start("pod-a", Some(Fencing::default())).await,
        scene.start("pod-b", Some(Fencing::default())).await,
    ];
    scene.shared(&pair).await;
    let told = async |effective: &str, ineffective: &str| {
        let what = format!("each replica to say {effective} and {ineffective}");
        eventually(&what, 3 * DEADLINE, || async {
            let says = |running: &Running| {
                running.metric("fencing_effective") == effective
                    && running.metric("fencing_ineffective") == ineffective
            };
            pair.iter().all(says).then_some(())
        })
        .await;
    };
    told("0", "1").await;
    let events: Api<k8s_openapi::api::events::v1::Event> = scene.at.api(&scene.at.env.admin());
    let told_by_event = || async {
        let events = events.list(&ListParams::default()).await.unwrap();
        events.items.iter().any(|event| event.reason.as_deref() == Some("FencingIneffective")).then_some(())
    };
    eventually("an event", DEADLINE, told_by_event).await;
    scene.at.install(&scene.at.policy().objects().unwrap()).await;
    told("1", "0").await;
    for running in pair {
        let _ = running.stop.send(());
        tokio::time::timeout(DEADLINE, running.task).await.expect("it ends").unwrap().unwrap();
    }
}
