//! Triggers from outside: resources that the user's own stream names.

use futures::{StreamExt, stream::BoxStream};
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::sharded::ShardedObject;

/// One stream, forwarded to each shard that is held. A shard drops what it does not hold.
pub(crate) struct External<K: ShardedObject> {
    /// Taken by whoever forwards it; a stream cannot be begun again.
    streams: Mutex<Vec<BoxStream<'static, ObjectRef<K>>>>,
    shards: Mutex<Vec<mpsc::UnboundedSender<ObjectRef<K>>>>,
}

impl<K: ShardedObject> External<K> {
    pub(crate) fn new(streams: Vec<BoxStream<'static, ObjectRef<K>>>) -> Self {
        Self { streams: Mutex::new(streams), shards: Mutex::default() }
    }

    /// What the streams name from now on. Everything is reconciled when a shard starts, so what they named before is not missed.
    pub(crate) fn subscribe(&self) -> BoxStream<'static, ObjectRef<K>> {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut shards = self.shards.lock();
        // A shard that has ended is removed here too: the streams may name nothing for a long time, or there is none.
        shards.retain(|shard| !shard.is_closed());
        shards.push(sender);
        drop(shards);
        futures::stream::poll_fn(move |cx| receiver.poll_recv(cx)).boxed()
    }

    /// Never ends by itself.
    pub(crate) async fn forward(&self) {
        let streams = std::mem::take(&mut *self.streams.lock());
        let mut named = futures::stream::select_all(streams);
        while let Some(reference) = named.next().await {
            self.shards.lock().retain(|shard| shard.send(reference.clone()).is_ok());
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Gadget;

    #[test]
    fn a_shard_that_has_ended_is_not_kept_although_nothing_is_named() {
        let external = External::<Gadget>::new(Vec::new());
        for _ in 0..100 {
            drop(external.subscribe());
        }
        let _held = external.subscribe();
        assert_eq!(external.shards.lock().len(), 1);
    }
}
