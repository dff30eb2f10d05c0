//! The proof that a cache contains what was there when a shard was acquired.

use std::collections::BTreeMap;

use kube::runtime::watcher;

use super::{WatchState, selected};
use crate::{
    owned_resource::OwnedResource,
    watched::{
        barrier::{PATIENCE, ReadMark},
        objects::{Key, Version, key},
    },
};

/// As many objects as a list of the metadata asks for at once. The same as kube-runtime's default.
const PAGE: u32 = 500;

/// The complete answer to a list of the metadata.
struct Read {
    version: Option<String>,
    objects: BTreeMap<Key, Version>,
}

impl<W: OwnedResource> WatchState<W> {
    pub(super) async fn reached(&self, part: usize, acquired: ReadMark, failed: &(dyn Fn() + Send + Sync)) {
        let position = &self.parts[part].1;
        let mut backoff = self.backoff();
        loop {
            let moved = position.moved();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if position.is_later_than(acquired) {
                return;
            }
            if !position.is_listed() {
                if position.is_refused() {
                    failed();
                }
                moved.await;
                continue;
            }
            let proof = {
                // One list serves all shards that wait: whoever comes next finds the result.
                let _proving = position.proving.lock().await;
                if position.is_later_than(acquired) {
                    return;
                }
                self.prove(part).await
            };
            if let Err(error) = proof {
                failed();
                let error = watcher::Error::InitialListFailed(error);
                let now = self.shared.watcher.clock.now().monotonic;
                self.shared.watcher.log_failure(&self.apis()[part], &error, now);
                self.shared.watcher.clock.sleep(backoff.after(&error, now)).await;
            }
        }
    }

    /// Sends a list, and waits until the cache contains what it contains. If the watch does not bring that in time, it is restarted.
    async fn prove(&self, part: usize) -> Result<(), kube::Error> {
        let (namespace, position) = &self.parts[part];
        let number = self.shared.reads.begin();
        let read = self.list(part).await?;
        let mut patience = Some(self.shared.watcher.clock.sleep(PATIENCE));
        loop {
            let moved = position.moved();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if position.contains(number) {
                return Ok(());
            }
            if position.has_shown(read.version.as_deref())
                || self.objects.are(namespace.as_deref(), &read.objects)
            {
                position.reaches(number);
                return Ok(());
            }
            let Some(waiting) = &mut patience else {
                // The list that follows is awaited for as long as it takes: it has limits and retries of its own.
                moved.await;
                continue;
            };
            tokio::select! {
                () = moved => {}
                () = waiting => {
                    patience = None;
                    tracing::warn!(
                        "the watch on {} has not shown for {} s what a list contains; it is restarted",
                        W::plural(&()),
                        PATIENCE.as_secs()
                    );
                    position.restart.notify_one();
                }
            }
        }
    }

    /// A consistent read of the metadata of everything that the watch covers.
    async fn list(&self, part: usize) -> Result<Read, kube::Error> {
        let api = self.apis().remove(part);
        let mut params = selected(&self.config).limit(PAGE);
        let mut objects = BTreeMap::new();
        loop {
            let page = api.list_metadata(&params).await?;
            let metadata = page.items.iter().map(|object| &object.metadata);
            objects.extend(metadata.map(|metadata| (key(metadata), Version::of(metadata))));
            // All pages are of one version.
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(Read { version: page.metadata.resource_version, objects }),
            }
        }
    }
}
