//! The embedded API server under kube's own machinery, kubectl, and time that the test makes.

#[path = "embedded/admission.rs"]
mod admission;
#[path = "embedded/collector.rs"]
mod collector;
#[path = "embedded/kube_calls.rs"]
mod kube_calls;
#[path = "embedded/kubectl.rs"]
mod kubectl;
#[path = "embedded/runtime.rs"]
mod runtime;

use embedded_apiserver::{EmbeddedServer, WallSeams};
use kube::Api;
use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn server() -> EmbeddedServer {
    EmbeddedServer::new(WallSeams::new(7))
}

fn api<K>(server: &EmbeddedServer) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(server.client("default"), "default")
}

async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let object: K = serde_json::from_value(object).expect("an object of this kind");
    api.create(&PostParams::default(), &object).await.expect("it can be created")
}
