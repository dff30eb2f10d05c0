//! Tables and policies come and go.

use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;
use shard_router::fencing::{FencingAction, RowKey};

use crate::{
    installation::{ID, Installation, Replica, bucket, refusal},
    widget::{LABEL, Widget, create},
};

struct Scene {
    at: Installation,
    a: Replica,
    b: Replica,
}

impl Scene {
    async fn new() -> Option<Self> {
        let at = Installation::new().await?;
        let (a, b) = (at.replica("pod-a").await, at.replica("pod-b").await);
        create(&at.api(&at.env.admin()), "w", &[(LABEL, "7")]).await;
        Some(Self { at, a, b })
    }

    async fn write(&self, by: &Client) -> Result<(), kube::Error> {
        self.write_to("w", by).await
    }

    async fn write_to(&self, name: &str, by: &Client) -> Result<(), kube::Error> {
        let widgets: Api<Widget> = self.at.api(by);
        let params = PatchParams { dry_run: true, ..PatchParams::default() };
        widgets.patch_status(name, &params, &Patch::Merge(json!({"status": {}}))).await.map(drop)
    }

    async fn refuses(&self, by: &Replica) {
        self.at.refuses("a write", || self.write(&by.client)).await;
    }

    async fn admits(&self, by: &Replica) {
        self.at.admits("a write", || self.write(&by.client)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_table_everything_is_open_and_without_a_row_unless_rows_are_required() {
    let Some(scene) = Scene::new().await else { return };
    let (open, required) = (scene.at.policy(), scene.at.policy().required(true));
    scene.at.table(&[(bucket(8), scene.a.row(1)), (RowKey::Stamping, scene.a.row(1))]).await;
    scene.at.install(&required.objects().unwrap()).await;
    scene.refuses(&scene.a).await;
    let why = refusal(&scene.write(&scene.a.client).await).unwrap();
    assert!(why.contains("7 belongs to no Pod, and fencing is required"), "{why}");
    scene
        .at
        .refuses("a token that is bound to no Pod", async || scene.write(&scene.at.unbound().await).await)
        .await;
    scene.at.tables.delete(ID, &DeleteParams::default()).await.unwrap();
    scene.admits(&scene.a).await;
    scene.write(&scene.at.env.admin()).await.unwrap();
    scene.at.table(&[]).await;
    scene.refuses(&scene.a).await;
    scene.write(&scene.at.env.admin()).await.unwrap();
    scene.at.claim(&scene.a, &[(bucket(7), scene.a.row(1))]).await.unwrap();
    scene.admits(&scene.a).await;
    scene.refuses(&scene.b).await;

    scene.at.claim(&scene.a, &[(bucket(9), scene.a.row(1))]).await.unwrap();
    scene.at.install(&open.objects().unwrap()).await;
    create(&scene.at.api(&scene.at.env.admin()), "w8", &[(LABEL, "8")]).await;
    scene.at.admits("a write without a row", || scene.write_to("w8", &scene.b.client)).await;
}

/// Why a missing table is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_refuse_for_want_of_a_table_would_refuse_every_user() {
    let Some(scene) = Scene::new().await else { return };
    let mut objects = scene.at.policy().required(true).objects().unwrap();
    let spec = objects.bindings[0].spec.as_mut().unwrap();
    spec.param_ref.as_mut().unwrap().parameter_not_found_action = Some("Deny".to_owned());
    // The other tests are such users.
    let here = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.at.env.namespace()}}});
    spec.match_resources = Some(serde_json::from_value(here).unwrap());
    scene.at.install(&objects).await;
    let admin = scene.at.env.admin();
    scene.at.refuses("a write of a user", || scene.write(&admin)).await;
    scene.at.remove(&objects).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policies_work_again_after_they_were_deleted_or_installed_anew() {
    let Some(scene) = Scene::new().await else { return };
    let objects = scene.at.policy().objects().unwrap();
    scene.at.table(&[(bucket(7), scene.a.row(1))]).await;
    for round in 1..=3 {
        scene.at.install(&objects).await;
        scene.refuses(&scene.b).await;
        scene.admits(&scene.a).await;
        scene.at.remove(&objects).await;
        scene.admits(&scene.b).await;
        // A new owner while there is no policy: the API server must not decide by the table that it saw before.
        let token = 10 * round;
        scene.at.claim(&scene.b, &[(bucket(7), scene.b.row(token))]).await.unwrap();
        scene.at.install(&objects).await;
        scene.refuses(&scene.a).await;
        scene.admits(&scene.b).await;
        scene.at.claim(&scene.a, &[(bucket(7), scene.a.row(token + 1))]).await.unwrap();
        scene.admits(&scene.a).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_deleted_is_made_anew_by_its_owners() {
    let Some(scene) = Scene::new().await else { return };
    scene.at.table(&[(bucket(7), scene.a.row(10))]).await;
    scene.at.install(&scene.at.policy().objects().unwrap()).await;
    scene.refuses(&scene.b).await;
    scene.at.tables.delete(ID, &DeleteParams::default()).await.unwrap();
    scene.admits(&scene.b).await;
    scene.at.table(&[]).await;
    scene.at.claim(&scene.a, &[(bucket(7), scene.a.row(10))]).await.unwrap();
    scene.refuses(&scene.b).await;
    scene.admits(&scene.a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn audit_and_warn_refuse_nothing() {
    let Some(scene) = Scene::new().await else { return };
    scene.at.table(&[(bucket(7), scene.a.row(1))]).await;
    for action in [FencingAction::Audit, FencingAction::Warn] {
        scene.at.install(&scene.at.policy().objects().unwrap()).await;
        scene.refuses(&scene.b).await;
        scene.at.install(&scene.at.policy().action(action).objects().unwrap()).await;
        scene.admits(&scene.b).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_by_an_old_version_of_the_table_is_a_conflict() {
    let Some(scene) = Scene::new().await else { return };
    scene.at.table(&[(bucket(7), scene.a.row(1))]).await;
    let before = scene.at.tables.get(ID).await.unwrap();
    scene.at.claim(&scene.b, &[(bucket(8), scene.b.row(5))]).await.unwrap();
    let late = before.claim(&[(bucket(8), scene.a.row(6))].into()).unwrap().unwrap();
    let refused = scene.at.tables.patch(ID, &PatchParams::default(), &Patch::Merge(late)).await;
    assert!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 409), "{refused:?}");
    let table = scene.at.tables.get(ID).await.unwrap();
    assert_eq!(table.spec.owners, "pod-a: shards 0; pod-b: shards 0");
}
