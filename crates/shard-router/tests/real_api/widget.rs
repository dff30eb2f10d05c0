//! The custom resource of these tests.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, CustomResource, CustomResourceExt, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    runtime::{conditions, wait::await_condition},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shard_router::{BUCKET_IMMUTABLE_RULE, Sharded};
use tokio::sync::OnceCell;

#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "test.shard-router.dev", version = "v1", kind = "Widget", namespaced)]
#[kube(status = "WidgetStatus", derive = "Default")]
#[kube(validation = kube::core::Rule::new(BUCKET_IMMUTABLE_RULE).message("status.bucket cannot be changed"))]
pub(crate) struct WidgetSpec {
    /// The definition takes anything here, and the type does not.
    #[serde(default)]
    #[schemars(schema_with = "anything")]
    pub(crate) size: i32,
}

fn anything(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WidgetStatus {
    pub(crate) bucket: Option<u8>,
    /// Most tests do not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) observed_generation: Option<i64>,
}

impl Sharded for Widget {
    fn recorded_bucket(&self) -> Option<u8> {
        self.status.as_ref()?.bucket
    }

    fn has_unobserved_generation(&self) -> bool {
        let observed = self.status.as_ref().and_then(|status| status.observed_generation);
        observed.is_some_and(|observed| Some(observed) != self.metadata.generation)
    }
}

pub(crate) const LABEL: &str = "test.shard-router.dev/bucket";

/// Installs the CRD once, and waits until it is served.
pub(crate) async fn install(client: &Client) {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED
        .get_or_init(|| async {
            let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
            let crd = Widget::crd();
            let params = PatchParams::apply("tests").force();
            crds.patch(&crd.name_any(), &params, &Patch::Apply(&crd)).await.expect("the CRD is accepted");
            await_condition(crds, &crd.name_any(), conditions::is_crd_established()).await.expect("watched");
        })
        .await;
}

/// A widget, created.
pub(crate) async fn create(api: &Api<Widget>, name: &str, labels: &[(&str, &str)]) -> Widget {
    let mut widget = Widget::new(name, WidgetSpec::default());
    for (key, value) in labels {
        widget.labels_mut().insert((*key).to_owned(), (*value).to_owned());
    }
    api.create(&PostParams::default(), &widget).await.expect("a widget is accepted")
}
