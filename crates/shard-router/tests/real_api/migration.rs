//! The commands of the pages on migration, run by kubectl while this test plays the Deployment of the operator.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Pod},
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{Controller, controller::Action, watcher},
};
use kube_testkit::{TestUser, WorkDir, binaries::find_kubectl, eventually};
use serde_json::json;
use shard_router::{ApplyError, Held};
use tokio::{process::Command, sync::Mutex};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::{
    fleet::{DEADLINE, Fleet, ID, Running, violations},
    widget::{LABEL, Widget, create},
};

const DOMAIN: &str = "test.shard-router.dev";
const WIDGETS: usize = 6;

/// Who reconciles at the moment.
#[derive(Default)]
struct Work {
    plain: AtomicUsize,
    sharded: AtomicUsize,
    /// How many reconciles each version has ended.
    by_plain: AtomicUsize,
    by_sharded: AtomicUsize,
    both_at_once: AtomicBool,
}

impl Work {
    async fn on<F: Future>(
        &self,
        of: &AtomicUsize,
        other: &AtomicUsize,
        ended: &AtomicUsize,
        reconcile: F,
    ) -> F::Output {
        of.fetch_add(1, Ordering::SeqCst);
        let result = reconcile.await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.both_at_once.fetch_or(other.load(Ordering::SeqCst) > 0, Ordering::SeqCst);
        of.fetch_sub(1, Ordering::SeqCst);
        ended.fetch_add(1, Ordering::SeqCst);
        result
    }
}

fn child(widget: &Widget) -> ConfigMap {
    let owner_references = widget.controller_owner_ref(&()).map(|owner| vec![owner]);
    let metadata = ObjectMeta { name: Some(widget.name_any()), owner_references, ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// A process of the operator.
enum Process {
    /// A kube-rs Controller without election.
    Plain(CancellationToken, AbortOnDropHandle<()>),
    Sharded(Running),
}

/// Plays the Deployment: has as many processes of its version run as it asks for, each with a Pod. Another version starts first, and the former one ends when that
/// works, as in a rolling update: only the commands of the pages keep the two apart.
struct Deployed {
    fleet: Fleet,
    work: Arc<Work>,
    running: Mutex<(String, Vec<(String, Process)>)>,
    started: AtomicUsize,
}

impl Deployed {
    async fn play(&self) {
        let deployments: Api<Deployment> =
            Api::namespaced(self.fleet.env.admin(), self.fleet.env.namespace());
        loop {
            if let Ok(Some(deployment)) = deployments.get_opt("my-operator").await {
                self.adapt(&deployment).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn adapt(&self, deployment: &Deployment) {
        let spec = deployment.spec.as_ref().unwrap();
        let image = spec.template.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
        let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap();
        let mut running = self.running.lock().await;
        let former = if running.0 == image { Vec::new() } else { std::mem::take(&mut running.1) };
        running.0 = image;
        while running.1.len() > wanted {
            let (pod, process) = running.1.pop().unwrap();
            self.end(&pod, process).await;
        }
        while running.1.len() < wanted {
            let started = self.start(&running.0).await;
            running.1.push(started);
        }
        if wanted > 0 && !former.is_empty() {
            let ended = if running.0 == "old" { &self.work.by_plain } else { &self.work.by_sharded };
            self.works(ended).await;
        }
        for (pod, process) in former {
            self.end(&pod, process).await;
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.fleet.env.admin(), self.fleet.env.namespace())
    }

    async fn start(&self, image: &str) -> (String, Process) {
        let name = format!("my-operator-{}", self.started.fetch_add(1, Ordering::SeqCst));
        let pod = json!({
            "metadata": {"name": name, "labels": {"app": "my-operator"}},
            "spec": {"containers": [{"name": "operator", "image": image}]},
        });
        self.pods().create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        let process = if image == "old" { self.plain() } else { Process::Sharded(self.sharded(&name)) };
        (name, process)
    }

    async fn end(&self, pod: &str, process: Process) {
        match process {
            Process::Plain(stop, task) => {
                stop.cancel();
                task.await.unwrap();
            }
            Process::Sharded(replica) => replica.terminate().await,
        }
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.pods().delete(pod, &now).await.unwrap();
    }

    fn plain(&self) -> Process {
        let stop = CancellationToken::new();
        let (client, work) = (self.fleet.env.admin(), self.work.clone());
        let reconcile = |widget: Arc<Widget>, (client, work): &(Client, Arc<Work>)| {
            let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &widget.namespace().unwrap());
            let work = work.clone();
            async move {
                let params = PatchParams::apply("my-operator").force();
                let (name, child) = (widget.name_any(), Patch::Apply(child(&widget)));
                let applied = maps.patch(&name, &params, &child);
                work.on(&work.plain, &work.sharded, &work.by_plain, applied).await?;
                Ok::<_, kube::Error>(Action::requeue(Duration::from_millis(500)))
            }
        };
        let controller = Controller::new(self.fleet.widgets.clone(), watcher::Config::default())
            .graceful_shutdown_on(stop.clone().cancelled_owned())
            .run(
                move |widget, context| reconcile(widget, &context),
                |_, _, _| Action::requeue(Duration::from_secs(1)),
                Arc::new((client, work)),
            );
        let task = tokio::spawn(controller.for_each(|_| async {}));
        Process::Plain(stop, AbortOnDropHandle::new(task))
    }

    fn sharded(&self, pod: &str) -> Running {
        let (identity, mut app) = self.fleet.app(self.fleet.options(pod, 4));
        let work = self.work.clone();
        app.controller::<Widget>().owns::<ConfigMap>().run(move |widget: Arc<Widget>, held: Held| {
            let work = work.clone();
            async move {
                let applied = async { held.apply_owned(widget.as_ref(), child(&widget)).await };
                work.on(&work.sharded, &work.plain, &work.by_sharded, applied).await?;
                Ok::<_, ApplyError>(Action::requeue(Duration::from_millis(500)))
            }
        });
        Fleet::spawn(identity, app)
    }

    /// Every widget has been reconciled since by this version, as far as the number says.
    async fn works(&self, ended: &AtomicUsize) {
        let before = ended.load(Ordering::SeqCst);
        eventually("the operator to reconcile", DEADLINE, || async {
            (ended.load(Ordering::SeqCst) >= before + 2 * WIDGETS).then_some(())
        })
        .await;
    }
}

/// The commands that a page shows in blocks of the console.
fn commands(page: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/migration").join(page);
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands = blocks.flat_map(str::lines).map(|line| line.split('#').next().unwrap().trim());
    commands.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The commands in the table of what stays behind.
fn removals() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/migration/back.md");
    let text = std::fs::read_to_string(page).unwrap();
    let commands = text.lines().filter(|line| line.starts_with('|'));
    let quoted =
        commands.flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>());
    quoted.filter(|command| command.starts_with("kubectl ")).collect()
}

struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: String,
    dir: WorkDir,
}

impl Kubectl {
    async fn run(&self, command: &str) {
        let words = command.split_whitespace().skip(1);
        let mut kubectl = Command::new(&self.program);
        kubectl.current_dir(self.dir.path()).arg("--kubeconfig").arg(&self.kubeconfig);
        kubectl.args(["-n", &self.namespace]).args(words).kill_on_drop(true);
        let output = tokio::time::timeout(2 * DEADLINE, kubectl.output()).await.expect("it ends").unwrap();
        assert!(output.status.success(), "`{command}`: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn manifest(&self, file: &str, image: &str, replicas: u32) {
        let labels = json!({"app": "my-operator"});
        let manifest = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "my-operator"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "operator", "image": image}]}}},
        });
        std::fs::write(self.dir.path().join(file), manifest.to_string()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_pages_migrate_an_operator_and_back() {
    let Some(fleet) = Fleet::new("kubectl migrates an operator on it").await else { return };
    let Ok(program) = find_kubectl() else { return kube_testkit::skip("there is no kubectl in PATH") };
    let kubectl = Kubectl {
        program,
        kubeconfig: fleet.env.kubeconfig(&TestUser::admin()).expect("a kubeconfig"),
        namespace: fleet.env.namespace().to_owned(),
        dir: WorkDir::create().expect("a directory"),
    };
    kubectl.manifest("my-operator-old.yaml", "old", 1);
    kubectl.manifest("my-operator.yaml", "new", 2);
    for number in 0..WIDGETS {
        create(&fleet.widgets, &format!("widget-{number}"), &[]).await;
    }
    let (work, running) = (Arc::new(Work::default()), Mutex::default());
    let deployed = Arc::new(Deployed { fleet, work: work.clone(), running, started: AtomicUsize::new(0) });
    let played = deployed.clone();
    let _player = AbortOnDropHandle::new(tokio::spawn(async move { played.play().await }));
    let maps: Api<ConfigMap> = Api::namespaced(deployed.fleet.env.admin(), &kubectl.namespace);
    let labelled = async || {
        let labelled = maps.list(&ListParams::default().labels(LABEL)).await.unwrap().items.len();
        let widgets = deployed.fleet.widgets.list(&ListParams::default().labels(LABEL)).await.unwrap();
        (labelled, widgets.items.len())
    };

    kubectl.run("kubectl apply -f my-operator-old.yaml").await;
    deployed.works(&work.by_plain).await;
    assert_eq!(labelled().await, (0, 0));

    let there = commands("from-kube-rs.md");
    assert_eq!(there.len(), 3, "{there:?}");
    for command in &there {
        kubectl.run(command).await;
    }
    deployed.works(&work.by_sharded).await;
    eventually("existing children to get the label", DEADLINE, || async {
        (labelled().await == (WIDGETS, WIDGETS)).then_some(())
    })
    .await;

    let back = commands("back.md");
    assert_eq!(back.len(), 3, "{back:?}");
    for command in &back {
        kubectl.run(command).await;
    }
    deployed.works(&work.by_plain).await;
    assert!(!work.both_at_once.load(Ordering::SeqCst), "both versions reconciled at once");
    assert_eq!(violations(&deployed.fleet.records), [""; 0]);

    let removals = removals();
    assert_eq!(removals.len(), 2, "{removals:?}");
    for command in removals {
        let command = command.replace("<domain>", DOMAIN).replace("<LeaderElectionID>", ID);
        // Other tests have widgets in other namespaces.
        let command = command.replace("--all-namespaces", "");
        for kind in ["widgets", "configmaps"] {
            kubectl.run(&command.replace("<kind>", kind)).await;
            if !command.contains("<kind>") {
                break;
            }
        }
    }
    assert_eq!(deployed.fleet.leases.list(&ListParams::default()).await.unwrap().items.len(), 0);
    assert_eq!(labelled().await, (0, 0));
}
