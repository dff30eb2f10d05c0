//! What makes a reconcile due.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{
    StreamExt,
    future::pending,
    stream::{self, BoxStream},
};
use kube::runtime::reflector::{ObjectRef, Store};
use lease_core::{Clock, Monotonic};

use crate::{
    kind_type::KindType,
    shard::reflect::Why,
    sharded::{ShardedObject, cr_name_of_ref},
    turns::Lane,
};

/// A resource that is due.
pub(super) struct Trigger<K: ShardedObject> {
    pub(super) resource: ObjectRef<K>,
    pub(super) why: Why,
}

/// How long changes are held back.
pub(super) struct Debounce {
    pub(super) delay: Option<Duration>,
    pub(super) clock: Arc<dyn Clock>,
}

/// The resources to reconcile. What has changed is marked, so that it gets its turn before what was only listed.
pub(super) fn merged<K: ShardedObject>(
    resources: impl stream::Stream<Item = Trigger<K>> + Send + 'static,
    others: Vec<BoxStream<'static, ObjectRef<K>>>,
    debounce: Debounce,
    (kind, store, lane): (KindType, Store<K>, Arc<Lane>),
) -> BoxStream<'static, ObjectRef<K>> {
    // What a user calls the kind does not matter.
    let others = stream::select_all(others).map(move |named| Trigger {
        resource: kind.reference(named.namespace.as_deref(), &named.name),
        why: Why::Changed,
    });
    let triggers = debounced(stream::select(resources, others).boxed(), debounce);
    let resources = triggers.map(move |Trigger { resource, why }| {
        // kube-runtime drops what is not in the store, so nothing would ever remove its mark.
        if why != Why::Listed && store.get(&resource).is_some() {
            lane.changed(&cr_name_of_ref(&resource));
        }
        resource
    });
    resources.boxed()
}

/// Holds each change back for the delay. Further changes of the same resource are folded into it meanwhile. Unlike kube-runtime's, the delay does not
/// start over with each change, so a resource that changes all the time is reconciled, too. What was only listed is passed on at once.
fn debounced<K: ShardedObject>(
    triggers: BoxStream<'static, Trigger<K>>,
    Debounce { delay, clock }: Debounce,
) -> BoxStream<'static, Trigger<K>> {
    let Some(delay) = delay.filter(|delay| !delay.is_zero()) else { return triggers };
    let held = (VecDeque::<(Monotonic, ObjectRef<K>)>::new(), HashSet::new());
    stream::unfold((triggers, held), move |(mut triggers, (mut queue, mut known))| {
        let clock = clock.clone();
        async move {
            loop {
                let due = async {
                    match queue.front() {
                        Some((due, _)) => clock.sleep(due.duration_since(clock.now().monotonic)).await,
                        None => pending().await,
                    }
                };
                let next = tokio::select! {
                    biased;
                    () = due => None,
                    next = triggers.next() => Some(next?),
                };
                let trigger = match next {
                    None => {
                        let Some((_, resource)) = queue.pop_front() else { continue };
                        known.remove(&resource);
                        Trigger { resource, why: Why::Changed }
                    }
                    Some(Trigger { resource, why: Why::Changed }) => {
                        if known.insert(resource.clone()) {
                            queue.push_back((clock.now().monotonic + delay, resource));
                        }
                        continue;
                    }
                    Some(listed) => listed,
                };
                return Some((trigger, (triggers, (queue, known))));
            }
        }
    })
    .boxed()
}
