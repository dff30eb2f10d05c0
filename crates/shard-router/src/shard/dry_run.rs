//! A write to a resource that changes nothing and is not carried out, to learn whether the API server admits it.

use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    reconciler::Reconciler,
    routing::{bucket::Bucket, layout::selector},
    setup::KindSetup,
    sharded::ShardedObject,
    watch::lenient::Lenient,
};

/// The answer for some resource in one of these buckets, with its bucket; `None` if there is none.
pub(super) async fn dry_run<K: ShardedObject, R: Reconciler<K>>(
    kind: &KindSetup<K, R>,
    buckets: &[Bucket],
) -> Option<(Bucket, Result<(), kube::Error>)> {
    let (setup, label) = (&kind.setup, &kind.stamp.bucket_label);
    // Without the observers of rights: what is refused here keeps nobody from working.
    let client = setup.stamper_clients.unobserved();
    let one = ListParams::default().labels(&kind.selected(selector(label, buckets))).limit(1);
    for api in setup.scope.apis::<K>(&kind.kind, &client) {
        let Ok(listed) = api.list_metadata(&one).await else { continue };
        let Some(found) = listed.items.first() else { continue };
        let Some(bucket) = found.labels().get(label).and_then(|label| Bucket::from_label(label)) else {
            continue;
        };
        let api = Lenient::<K>::api(&kind.kind, client.clone(), found.namespace().as_deref());
        let params = PatchParams { dry_run: true, ..PatchParams::default() };
        let answer = api.patch(&found.name_any(), &params, &Patch::Merge(json!({}))).await;
        return Some((bucket, answer.map(drop)));
    }
    None
}
