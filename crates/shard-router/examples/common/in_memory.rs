//! What the examples share: an API server in memory, and replicas on it until Ctrl-C.

use std::{error::Error, fmt::Debug, future::Future};

use embedded_apiserver::{EmbeddedServer, WallSeams};
use k8s_openapi::{
    api::core::v1::Namespace, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, CustomResourceExt, Resource, api::PostParams};
use lease_core::{ElectionsOptions, Identity, LeaderElectionId};
use serde::{Serialize, de::DeserializeOwned};
use shard_router::Options;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// An API server in memory that knows one custom resource.
pub(crate) struct InMemory {
    server: EmbeddedServer,
    id: &'static str,
}

impl InMemory {
    pub(crate) async fn start<K: CustomResourceExt>(id: &'static str) -> Result<Self, Box<dyn Error>> {
        tracing_subscriber::fmt().init();
        let server = Self { server: EmbeddedServer::new(WallSeams::new(1)), id };
        server.create(Api::<CustomResourceDefinition>::all(server.client()), K::crd()).await?;
        Ok(server)
    }

    pub(crate) fn client(&self) -> Client {
        self.server.client("default")
    }

    pub(crate) async fn create_namespace(&self, name: &str) -> Outcome {
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        self.create(Api::all(self.client()), namespace).await
    }

    pub(crate) async fn create<K>(&self, api: Api<K>, object: K) -> Outcome
    where
        K: Resource + Clone + Debug + Serialize + DeserializeOwned,
    {
        api.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// Runs two sharded replicas, or with `plain` as argument one process with kube-runtime alone, until Ctrl-C. Meanwhile `shown` runs once.
    pub(crate) async fn run<K, P, S>(
        &self,
        plain: impl FnOnce(Client) -> P,
        sharded: impl Fn(Client, Options) -> S,
        shown: impl Future<Output = ()>,
    ) -> Outcome
    where
        K: Resource<DynamicType = ()>,
        P: Future<Output = Outcome>,
        S: Future<Output = Outcome>,
    {
        tokio::select! {
            ended = Box::pin(self.replicas::<K, P, S>(plain, sharded)) => ended,
            never = async { shown.await; std::future::pending().await } => never,
        }
    }

    async fn replicas<K, P, S>(
        &self,
        plain: impl FnOnce(Client) -> P,
        sharded: impl Fn(Client, Options) -> S,
    ) -> Outcome
    where
        K: Resource<DynamicType = ()>,
        P: Future<Output = Outcome>,
        S: Future<Output = Outcome>,
    {
        match std::env::args().nth(1).as_deref() {
            None => {
                let replica = |pod| {
                    let elections = ElectionsOptions::new(
                        LeaderElectionId::new(self.id)?,
                        "default",
                        Identity::of_pod(pod, "1")?,
                    );
                    let options = Options::for_crd::<K>(elections).with_shards(4.try_into()?);
                    Ok::<_, Box<dyn Error>>(sharded(self.client(), options))
                };
                tokio::try_join!(replica("op-0")?, replica("op-1")?).map(drop)
            }
            Some("plain") => plain(self.client()).await,
            Some(other) => {
                Err(format!("there is no variant `{other}`; give `plain`, or nothing for the sharded one")
                    .into())
            }
        }
    }
}

/// Resolves with Ctrl-C.
pub(crate) async fn stop() {
    tokio::signal::ctrl_c().await.unwrap_or_default();
}

/// Prints the object of this name as soon as it is as it should be.
pub(crate) async fn show<K>(api: Api<K>, name: &str, is_done: impl Fn(&K) -> bool)
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned + Send + 'static,
{
    let done =
        kube::runtime::wait::await_condition(api, name, |object: Option<&K>| object.is_some_and(&is_done));
    match done.await {
        Ok(mut object) => {
            if let Some(object) = &mut object {
                object.meta_mut().managed_fields = None;
            }
            println!("{}", serde_json::to_string_pretty(&object).unwrap_or_default());
        }
        Err(error) => eprintln!("the example has no result: {error}"),
    }
}
