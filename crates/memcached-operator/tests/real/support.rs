//! An API server that knows the resource, and a namespace on it.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Api, Client, Resource};
use kube_testkit::RealEnv;
use memcached_operator::crd::{Memcached, MemcachedStatus};
use memcached_operator::reconcile::{MemcachedReconciler, ReconcileError, fetch};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A test's own namespace, and what tests do in it.
pub(crate) struct Harness {
    pub(crate) client: Client,
    pub(crate) env: RealEnv,
}

/// A harness, or a visible reason why there is none.
pub(crate) async fn harness(why: &str) -> Option<Harness> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let env = kube_testkit::real(why).await?;
    INSTALLED
        .get_or_init(async || {
            env.add_kinds(&[memcached_operator::crd::definition()]).await.expect("the definition is accepted")
        })
        .await;
    Some(Harness { client: env.admin(), env })
}

impl Harness {
    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.api_of(&self.client)
    }

    /// Likewise, as another user.
    pub(crate) fn api_of<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        Api::namespaced(client.clone(), self.env.namespace())
    }

    /// Creates a resource from raw JSON, as a user would.
    pub(crate) async fn create(&self, name: &str, spec: impl Into<Value>) -> Result<Memcached, kube::Error> {
        let raw: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            self.env.namespace(),
            &ApiResource::erase::<Memcached>(&()),
        );
        let mut object = DynamicObject::new(name, &ApiResource::erase::<Memcached>(&()));
        object.data = json!({"spec": spec.into()});
        raw.create(&PostParams::default(), &object).await?;
        self.api::<Memcached>().get(name).await
    }

    /// Reads the resource and reconciles it once.
    pub(crate) async fn reconcile(&self, name: &str) -> Result<Action, ReconcileError> {
        let memcached = self.api::<Memcached>().get(name).await.expect("the Memcached is there");
        self.reconcile_as_seen(&memcached).await
    }

    /// Likewise, after so many failures in a row.
    pub(crate) async fn reconcile_after(&self, name: &str, failures: u32) -> Result<Action, ReconcileError> {
        let memcached = self.api::<Memcached>().get(name).await.expect("the Memcached is there");
        self.attempt(&memcached, failures).await
    }

    /// Reconciles what was seen, however old.
    pub(crate) async fn reconcile_as_seen(&self, memcached: &Memcached) -> Result<Action, ReconcileError> {
        self.attempt(memcached, 0).await
    }

    async fn attempt(&self, memcached: &Memcached, failures: u32) -> Result<Action, ReconcileError> {
        let bucket = ("cache.example.com/bucket".to_owned(), "17".to_owned());
        let reconciler = MemcachedReconciler::new("tests_1");
        let children = fetch::children(&self.client, memcached, reconciler.applier()).await;
        Box::pin(reconciler.run(memcached, children, &self.client, Some(&bucket), failures)).await
    }

    pub(crate) async fn status(&self, name: &str) -> MemcachedStatus {
        self.api::<Memcached>().get(name).await.expect("the Memcached is there").status.unwrap_or_default()
    }

    /// Merges into the spec of a resource.
    pub(crate) async fn change(&self, name: &str, spec: impl Into<Value>) -> Result<Memcached, kube::Error> {
        let patch = json!({"spec": spec.into()});
        self.api::<Memcached>().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await
    }

    /// Reasons of the events on a resource, oldest first. Those on its namesakes of other kinds are not counted: of a Service
    /// whose address has not got about yet the API server itself says `ClusterIPNotAllocated`.
    pub(crate) async fn events(&self, name: &str) -> Vec<String> {
        let events =
            self.api::<Event>().list(&kube::api::ListParams::default()).await.expect("events are listed");
        let mut events: Vec<_> = events
            .items
            .into_iter()
            .filter(|event| {
                event.regarding.as_ref().is_some_and(|on| {
                    on.kind.as_deref() == Some(&*Memcached::kind(&())) && on.name.as_deref() == Some(name)
                })
            })
            .collect();
        events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        events.into_iter().filter_map(|event| event.reason).collect()
    }
}
