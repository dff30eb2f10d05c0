//! Whoever makes the server decides what it admits.

use std::sync::{Arc, Mutex};

use embedded_apiserver::Operation::{Create, Delete, Update};
use embedded_apiserver::{EmbeddedServer, WallSeams};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

const REFUSAL: &str = "configmaps \"one\" is forbidden: only ours is admitted";

fn map(owner: &str) -> ConfigMap {
    let value = json!({"metadata": {"name": "one"}, "data": {"owner": owner}});
    serde_json::from_value(value).expect("a ConfigMap")
}

fn assert_denied<T: std::fmt::Debug>(result: Result<T, kube::Error>) {
    match result {
        Err(kube::Error::Api(status)) => {
            assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
            assert_eq!(status.message, REFUSAL);
        }
        other => panic!("expected a denial, got {other:?}"),
    }
}

#[tokio::test]
async fn every_write_is_decided_about_and_a_denied_one_changes_nothing() {
    let server = EmbeddedServer::new(WallSeams::new(7));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    server.with_machine(|machine| {
        machine.admit_by(move |request| {
            log.lock().expect("no panic").push(request.operation);
            let stays = request.object.is_some_and(|object| object["data"]["owner"] == "ours");
            if stays { Ok(()) } else { Err("only ours is admitted".into()) }
        });
    });
    let maps: Api<ConfigMap> = Api::namespaced(server.client("default"), "default");
    assert_denied(maps.create(&PostParams::default(), &map("theirs")).await);
    assert!(maps.list(&ListParams::default()).await.expect("listed").items.is_empty());
    maps.create(&PostParams::default(), &map("ours")).await.expect("admitted");
    assert_denied(maps.replace("one", &PostParams::default(), &map("theirs")).await);
    let patch = Patch::Merge(json!({"data": {"owner": "theirs"}}));
    assert_denied(maps.patch("one", &PatchParams::default(), &patch).await);
    let mut applied = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}});
    applied["data"] = json!({"owner": "theirs"});
    assert_denied(maps.patch("one", &PatchParams::apply("us").force(), &Patch::Apply(applied)).await);
    assert_denied(maps.delete("one", &DeleteParams::default()).await);
    assert_denied(maps.delete_collection(&DeleteParams::default(), &ListParams::default()).await);
    let kept = maps.get("one").await.expect("still there");
    assert_eq!(kept.data, map("ours").data);

    let asked = asked.lock().expect("no panic").clone();
    assert_eq!(asked, [Create, Create, Update, Update, Update, Delete, Delete]);
}
