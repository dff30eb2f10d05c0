//! The reflector without its takeover barrier. Only with the feature `mutants`; see [`crate::mutants`].

use std::ops::ControlFlow;

use kube::runtime::watcher::{Config, Event};

use super::{Observer, Reflector};
use crate::{
    mutants::{Mutant, active},
    sharded::ShardedObject,
    watch::lenient::Lenient,
};

/// Lists that may be old, and page by page, so that tests with few objects see work begin before the end of the list.
pub(super) fn list_as_it_comes(config: Config) -> Config {
    if active(Mutant::NoBarrier) { config.any_semantic().page_size(1) } else { config }
}

impl<K: ShardedObject, O: Observer<K>> Reflector<K, O> {
    pub(super) fn open_at_once(mut self) -> Self {
        if active(Mutant::NoBarrier) {
            self.open();
        }
        self
    }

    /// Takes the objects of a list as they come; the rest is left to the production code.
    pub(super) fn take_at_once(
        &mut self,
        part: usize,
        event: Event<Lenient<K>>,
    ) -> ControlFlow<Vec<K>, Event<Lenient<K>>> {
        match event {
            Event::InitApply(object) if active(Mutant::NoBarrier) => {
                ControlFlow::Break(self.applied(part, object))
            }
            Event::InitDone if active(Mutant::NoBarrier) => {
                self.observer.listed(self.store.len());
                ControlFlow::Break(Vec::new())
            }
            event => ControlFlow::Continue(event),
        }
    }
}
