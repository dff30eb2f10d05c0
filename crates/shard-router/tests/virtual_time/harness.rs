//! An API server in memory, and replicas that reach it by a network of their own.

use std::{future::Future, sync::Arc, time::Duration};

use embedded_apiserver::EmbeddedServer;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, CustomResourceExt as _, api::PostParams};
use lease_core::{Clock, ElectionsOptions, Identity, LeaderElectionId, LeaseRuntime, OnOverrun};
use shard_router::{Options, Reconciler, RunError, ShardedApp};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    blackhole::Blackhole,
    clock::{VirtualClock, VirtualSeams},
    widget::Widget,
};

pub(crate) const NAMESPACE: &str = "default";
pub(crate) const ID: &str = "widgets.test.shard-router.dev";
/// Nothing takes that long unless it hangs. It is virtual, so it costs nothing.
pub(crate) const HUNG: Duration = Duration::from_secs(600);

/// An API server that knows widgets.
pub(crate) struct Harness {
    server: EmbeddedServer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) widgets: Api<Widget>,
}

/// A replica that runs.
pub(crate) struct Replica {
    pub(crate) network: Blackhole,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) task: JoinHandle<Result<(), RunError>>,
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::defining(&Widget::crd()).await
    }

    /// One whose definition of widgets is this.
    pub(crate) async fn defining(definition: &CustomResourceDefinition) -> Self {
        Self::on(EmbeddedServer::new(VirtualSeams::default()), [definition]).await
    }

    /// One on this API server, with these definitions.
    pub(crate) async fn on(
        server: EmbeddedServer,
        defined: impl IntoIterator<Item = &CustomResourceDefinition>,
    ) -> Self {
        let admin = server.client(NAMESPACE);
        let definitions: Api<CustomResourceDefinition> = Api::all(admin.clone());
        for definition in defined {
            definitions.create(&PostParams::default(), definition).await.expect("the CRD is accepted");
        }
        Self { server, clock: Arc::new(VirtualClock::default()), widgets: Api::namespaced(admin, NAMESPACE) }
    }

    /// The API server's state.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn server(&self) -> &EmbeddedServer {
        &self.server
    }

    /// A client that no fault gets in the way of.
    pub(crate) fn admin(&self) -> Client {
        self.server.client(NAMESPACE)
    }

    /// Settings of a replica in this Pod.
    pub(crate) fn options(&self, pod: &str, shards: u16) -> Options {
        let id = LeaderElectionId::new(ID).expect("a LeaderElectionID");
        let identity = Identity::of_pod(pod, "1").expect("an identity");
        let mut elections = ElectionsOptions::new(id, NAMESPACE, identity);
        elections.clock = self.clock.clone();
        elections.runtime = LeaseRuntime::Current;
        elections.on_overrun = OnOverrun::Call(Arc::new(|why| panic!("{why}")));
        elections.seed = 1;
        let shards = shards.try_into().expect("a number of shards");
        Options::for_crd::<Widget>(elections).with_shards(shards).with_seed(1)
    }

    pub(crate) fn start(&self, options: Options, reconciler: impl Reconciler<Widget>) -> Replica {
        Self::run(self.app(options), reconciler)
    }

    /// A replica that does not run yet, and its network.
    pub(crate) fn app(&self, options: Options) -> (Blackhole, ShardedApp) {
        let network = Blackhole::before(self.server.service());
        let app = ShardedApp::new(Client::new(network.clone(), NAMESPACE), options);
        (network, app)
    }

    pub(crate) fn run(
        (network, mut app): (Blackhole, ShardedApp),
        reconciler: impl Reconciler<Widget>,
    ) -> Replica {
        app.controller::<Widget>().run(reconciler);
        Self::spawn(network, app)
    }

    /// Runs a replica whose kinds are declared.
    pub(crate) fn spawn(network: Blackhole, app: ShardedApp) -> Replica {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(app.run(async { drop(stopped.await) }));
        Replica { network, stop, task }
    }

    /// Resolves when the condition holds.
    pub(crate) async fn until<F: Future<Output = bool>>(&self, what: &str, mut holds: impl FnMut() -> F) {
        let reached = async {
            while !holds().await {
                self.clock.sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(HUNG, reached).await.unwrap_or_else(|_| panic!("waited {HUNG:?} for {what}"));
    }
}
