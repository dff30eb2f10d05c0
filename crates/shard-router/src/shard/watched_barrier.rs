//! The takeover barrier of one watched type in one shard.

use std::sync::Arc;

use futures::future::join_all;
use parking_lot::Mutex;

use super::warm_up::WarmUp;
use crate::{
    caches::{Caches, FirstLists},
    watch::first_list::{ListState, all_answered},
    watched::{Cache, ReadMark},
};

/// Resolves when the cache contains, in every namespace, what was there at the acquisition. Each namespace is open as soon as that holds for it. The shard counts as started
/// when each namespace has been answered for, and at least one with a list.
pub(super) async fn passed(
    cache: Arc<dyn Cache>,
    nth: usize,
    acquired: ReadMark,
    caches: Arc<Caches>,
    (owned, warm_up): (usize, Arc<WarmUp>),
) {
    let lists = Mutex::new(vec![ListState::Asked; cache.watches()]);
    let answered = || {
        if all_answered(lists.lock().iter().copied()) {
            warm_up.answered(owned + nth);
        }
    };
    let part = |watch: usize| {
        let (cache, caches, lists, warm_up) = (&cache, &caches, &lists, &warm_up);
        async move {
            let failed = || {
                lists.lock()[watch].failed();
                answered();
                warm_up.failed();
            };
            cache.reached(watch, acquired, &failed).await;
            lists.lock()[watch] = ListState::Complete;
            caches.watched_is_current(nth, watch);
            answered();
        }
    };
    join_all((0..cache.watches()).map(part)).await;
}
