//! Kinds from what a real API server publishes of them behave as the kinds themselves do.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::time::Duration;

use embedded_apiserver::{EmbeddedServer, WallSeams, definitions_of_open_api};
use http::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, PostParams},
};
use kube_testkit::eventually;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(60);
const GROUP: &str = "openapi.test.shard-router.dev";

/// With one of each word that a schema can have, as far as both versions of a document have it.
fn definition() -> CustomResourceDefinition {
    let spec = json!({
        "type": "object",
        "required": ["host"],
        "x-kubernetes-validations": [{"rule": "self.host != 'forbidden'", "message": "this host is forbidden"}],
        "properties": {
            "host": {"type": "string", "minLength": 3, "maxLength": 9, "pattern": "^[a-z]+$"},
            "since": {"type": "string", "format": "date-time"},
            "note": {"type": "string", "nullable": true},
            "names": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}},
            "tier": {"type": "string", "enum": ["free", "paid"], "default": "free"},
            "port": {"x-kubernetes-int-or-string": true},
            "size": {"type": "integer", "minimum": 1, "maximum": 9},
            "labels": {"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"type": "string"}},
            "rules": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            },
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        },
    });
    let status = json!({"type": "object", "properties": {"ready": {"type": "boolean"}}});
    let definition = json!({
        "metadata": {"name": format!("hosts.{GROUP}")},
        "spec": {
            "group": GROUP, "scope": "Namespaced",
            "names": {"kind": "Host", "plural": "hosts", "singular": "host", "listKind": "HostList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
            }],
        },
    });
    serde_json::from_value(definition).unwrap()
}

fn host(spec: &Value) -> DynamicObject {
    let host = json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Host", "metadata": {"generateName": "host-"}, "spec": spec});
    serde_json::from_value(host).unwrap()
}

fn hosts(client: &Client, namespace: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk(GROUP, "v1", "Host");
    Api::namespaced_with(client.clone(), namespace, &ApiResource::from_gvk_with_plural(&kind, "hosts"))
}

/// What becomes of a spec: what is stored, or the code and causes of a refusal.
async fn answer(hosts: &Api<DynamicObject>, spec: &Value) -> Value {
    match hosts.create(&PostParams::default(), &host(spec)).await {
        Ok(created) => created.data["spec"].clone(),
        Err(kube::Error::Api(status)) => {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            let mut fields: Vec<_> = causes.map(|cause| cause.field.clone()).collect();
            fields.sort_unstable();
            json!({"code": status.code, "fields": fields})
        }
        Err(error) => panic!("{error}"),
    }
}

async fn published(client: &Client, path: &str) -> Value {
    let request = Request::get(path).body(Vec::new()).unwrap();
    serde_json::from_str(&client.request_text(request).await.unwrap_or_default()).unwrap_or_default()
}

#[tokio::test]
async fn a_kind_from_its_published_schema_stores_and_refuses_what_the_kind_itself_does() {
    let Some(env) = kube_testkit::real("its OpenAPI documents are read").await else { return };
    let real = env.admin();
    let definitions: Api<CustomResourceDefinition> = Api::all(real.clone());
    definitions.create(&PostParams::default(), &definition()).await.unwrap();
    let specs = [
        json!({"host": "abc"}),
        json!({"host": "abc", "unknown": 1, "port": 80, "free": {"a": 1}, "labels": {"a": "b"}}),
        json!({"host": "abc", "port": "http", "tier": "paid", "rules": [{"name": "a", "unknown": 1}]}),
        json!({"tier": "free"}),
        json!({"host": "ab"}),
        json!({"host": "ABC"}),
        json!({"host": "abc", "tier": "other"}),
        json!({"host": "abc", "size": 10}),
        json!({"host": "abc", "size": "1"}),
        json!({"host": "abc", "labels": {"a": 1}}),
        json!({"host": "abc", "rules": [{}]}),
        json!({"host": "abc", "rules": [{"name": "a"}, {"name": "a"}]}),
        json!({"host": "abcdefghij"}),
        json!({"host": "abc", "since": "yesterday"}),
        json!({"host": "abc", "names": []}),
        json!({"host": "abc", "names": ["a", "b", "c"]}),
        json!({"host": "abc", "labels": {}}),
        json!({"host": "abc", "labels": {"a": "1", "b": "2", "c": "3"}}),
        json!({"host": "abc", "size": 0}),
    ];
    // v2 says no rules, and not what may be null.
    let of_v3 = [json!({"host": "forbidden"}), json!({"host": "abc", "note": null})];
    for path in [format!("/openapi/v3/apis/{GROUP}/v1"), "/openapi/v2".to_owned()] {
        let found = eventually(&format!("{path} to have the kind"), DEADLINE, || async {
            let found = definitions_of_open_api(&published(&real, &path).await).ok()?;
            found.into_iter().find(|definition| definition.spec.group == GROUP)
        })
        .await;
        let server = EmbeddedServer::new(WallSeams::new(1));
        let embedded = server.client("default");
        let definitions: Api<CustomResourceDefinition> = Api::all(embedded.clone());
        definitions.create(&PostParams::default(), &found).await.unwrap();
        let (theirs, ours) = (hosts(&real, env.namespace()), hosts(&embedded, "default"));
        let is_v3 = path.contains("v3");
        for spec in specs.iter().chain(of_v3.iter().filter(|_| is_v3)) {
            let mut spec = spec.clone();
            if !is_v3 && spec.get("tier").is_none() {
                // v2 says no defaults.
                spec["tier"] = json!("paid");
            }
            assert_eq!(answer(&ours, &spec).await, answer(&theirs, &spec).await, "{path}: {spec}");
        }
        let written = ours.create(&PostParams::default(), &host(&specs[0])).await.unwrap();
        let name = written.metadata.name.unwrap();
        let status = kube::api::Patch::Merge(json!({"status": {"ready": true}}));
        let params = kube::api::PatchParams::default();
        let patched = ours.patch_status(&name, &params, &status).await.unwrap();
        assert_eq!(patched.data["status"]["ready"], true);
    }
}
