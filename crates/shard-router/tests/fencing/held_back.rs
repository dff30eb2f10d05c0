//! A write that the network holds back until somebody else owns the bucket. Nothing in the sender stops it: it has been sent.

use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    installation::{Installation, Replica, bucket, refusal},
    widget::{LABEL, Widget, create},
};

/// How many writes are held back, with fencing and without.
const WRITES: u64 = 50;

/// Hands the bucket over again and again, each time while a write of the last owner is on its way, and counts how many of these writes replace what the new owner has
/// written. They have no preconditions, as of an operator that uses none.
async fn landed(at: &Installation, pair: &[Replica; 2]) -> u64 {
    let proxy = at.env.proxy().unwrap();
    let through_proxy = pair.each_ref().map(|replica| replica.client_via(&at.env, &proxy));
    let admin: Api<Widget> = at.api(&at.env.admin());
    let mut landed = 0;
    for handover in 1..=WRITES {
        let [new, old] = if handover % 2 == 1 { [1, 0] } else { [0, 1] };
        // The connection is there, so that nothing but the write waits in the proxy.
        at.api::<Widget>(&through_proxy[old]).get("w").await.unwrap();
        proxy.hang_requests();
        let late = tokio::spawn(write(at.api(&through_proxy[old]), format!("late {handover}")));
        let token = at.tables.get(crate::installation::ID).await.unwrap().spec.rows["7"].token + 1;
        at.claim(&pair[new], &[(bucket(7), pair[new].row(token))]).await.unwrap();
        let current = format!("new {handover}");
        at.admits("the new owner's write", || write(at.api(&pair[new].client), current.clone())).await;
        proxy.resume();
        let admitted = refusal(&late.await.unwrap()).is_none();
        let seen = admin.get("w").await.unwrap().annotations()["by"].clone();
        assert_eq!(admitted, seen != current, "what is admitted is stored, and nothing else");
        landed += u64::from(admitted);
    }
    landed
}

async fn write(widgets: Api<Widget>, by: String) -> Result<(), kube::Error> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"by": by}}}));
    widgets.patch("w", &PatchParams::default(), &patch).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_arrives_after_a_handover_is_refused_and_lands_without_the_policies() {
    let Some(at) = Installation::new().await else { return };
    let pair = [at.replica("pod-a").await, at.replica("pod-b").await];
    create(&at.api(&at.env.admin()), "w", &[(LABEL, "7")]).await;
    at.table(&[(bucket(7), pair[0].row(1))]).await;
    let without = landed(&at, &pair).await;
    let last: &Client = &pair[(WRITES % 2) as usize].client;
    let other: &Client = &pair[1 - (WRITES % 2) as usize].client;
    at.install(&at.policy().objects().unwrap()).await;
    at.refuses("a write of the other Pod", || write(at.api(other), "other".to_owned())).await;
    at.admits("a write of the owner", || write(at.api(last), "owner".to_owned())).await;
    let with = landed(&at, &pair).await;
    println!(
        "of {WRITES} writes that arrived late, {without} landed without the policies and {with} with them"
    );
    assert_eq!((without, with), (WRITES, 0));
}
