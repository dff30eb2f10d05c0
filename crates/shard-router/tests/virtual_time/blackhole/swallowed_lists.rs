//! Lists that are never answered.

use std::collections::BTreeSet;

use http::Request;
use kube::client::Body;

/// The shards whose lists are never answered.
#[derive(Default)]
pub(super) struct SwallowedLists {
    shards: usize,
    /// By the label selectors of their lists.
    selectors: BTreeSet<String>,
}

impl SwallowedLists {
    /// Those of the shards whose lists come first, this many shards.
    pub(super) fn of_first(shards: usize) -> Self {
        Self { shards, ..Self::default() }
    }

    /// How many shards there are so far.
    pub(super) fn count(&self) -> usize {
        self.selectors.len()
    }

    pub(super) fn swallows(&mut self, request: &Request<Body>) -> bool {
        let query = request.uri().query().unwrap_or_default();
        if !request.uri().path().ends_with("/widgets") || query.contains("watch=true") {
            return false;
        }
        // A shard lists what is in its buckets, the stamper what is not in any.
        let selector = query.split('&').find_map(|pair| pair.strip_prefix("labelSelector="));
        let Some(selector) = selector.filter(|selector| !selector.contains("notin")) else { return false };
        if self.selectors.len() < self.shards {
            self.selectors.insert(selector.to_owned());
        }
        self.selectors.contains(selector)
    }
}
