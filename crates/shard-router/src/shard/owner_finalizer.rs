//! The end of a deleted object: its owner removes the finalizer that kept the name taken.

use kube::{
    api::{Patch, PatchParams},
    core::ObjectMeta,
};
use lease_core::invariant;
use serde_json::json;

use super::tracker::Tracker;
use crate::{
    authority::held::HeldShard, reconciler::Reconciler, rules, setup::KindSetup, sharded::ShardedObject,
    watch::lenient::Lenient,
};

/// Removes the finalizer if the object is being deleted and has no other finalizer. No reconcile of the object may run or begin.
///
/// # Errors
/// If the API server refuses the request, or does not answer. Then this has to be retried.
pub(super) async fn remove_owner_finalizer<K: ShardedObject, R: Reconciler<K>>(
    kind: &KindSetup<K, R>,
    held: &HeldShard,
    tracker: &Tracker,
    meta: &ObjectMeta,
) -> Result<(), kube::Error> {
    if !only_owner_finalizer_is_left(meta, &kind.stamp.owner_finalizer)
        || !writes_have_landed(kind, held, tracker).await
    {
        return Ok(());
    }
    // The answer need not decode.
    let api = Lenient::<K>::api(&kind.kind, held.housekeeping(), meta.namespace.as_deref());
    let patch = json!({"metadata": {
        "uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": [],
    }});
    // From the sending on, the name may belong to another object, whatever the cache says.
    let uid = meta.uid.clone().unwrap_or_default();
    tracker.finish(&uid);
    let name = meta.name.clone().unwrap_or_default();
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => {
            if matches!(error, kube::Error::Api(_)) {
                // Refused, so the object is still there and needs another reconcile; and since this write named a
                // version, an earlier unanswered one cannot be applied any more either.
                tracker.forget(&uid);
            }
            Err(error)
        }
    }
}

/// Also applies without a key label: the finalizer may have been added when there was one, and nothing else removes it.
pub(super) fn only_owner_finalizer_is_left(meta: &ObjectMeta, owner_finalizer: &str) -> bool {
    meta.deletion_timestamp.is_some() && meta.finalizers.as_ref().is_some_and(|all| *all == [owner_finalizer])
}

/// Waits until no write of this shard that was given up can be applied any more: afterwards, a new resource of this name may belong to another
/// replica. `false` if the shard is handed over before; then the next owner frees the name.
async fn writes_have_landed<K: ShardedObject, R: Reconciler<K>>(
    kind: &KindSetup<K, R>,
    held: &HeldShard,
    tracker: &Tracker,
) -> bool {
    let timings = &kind.setup.options.elections.timings;
    let in_transit = timings.lease_duration().saturating_sub(timings.renew_deadline());
    let Some(landed) = rules::name_taken_until(held.term.last_given_up(), in_transit) else {
        return true;
    };
    tokio::select! {
        () = kind.setup.clock.sleep(landed.duration_since(kind.setup.clock.now().monotonic)) => {
            let now = kind.setup.clock.now().monotonic;
            invariant!(now >= landed, "a name is freed at {now:?}, beside a write that may land until {landed:?}");
            true
        }
        () = tracker.closed() => false,
    }
}
