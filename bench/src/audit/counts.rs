//! Requests by verb and resource.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// A verb and what it was for: `patch memcacheds/status`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Request {
    verb: String,
    resource: String,
}

/// How many of each.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counts(BTreeMap<Request, Count>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Count {
    sent: u64,
    accepted: u64,
}

impl Request {
    pub(crate) fn new(verb: &str, resource: &str, subresource: &str) -> Self {
        let resource = match (resource, subresource) {
            ("", _) => "(no resource)".to_owned(),
            (resource, "") => resource.to_owned(),
            (resource, subresource) => format!("{resource}/{subresource}"),
        };
        Self { verb: verb.to_owned(), resource }
    }

    /// To fill a cache, or to keep it: Pods and events are only listed to look into a single resource.
    fn is_of_a_cache(&self) -> bool {
        let looks = ["pods", "events"].contains(&self.resource.as_str());
        self.verb == "watch" || self.verb == "list" && !looks
    }

    /// Reviews create nothing.
    fn is_write(&self) -> bool {
        let changes = ["create", "update", "patch", "delete"].contains(&self.verb.as_str());
        changes && !self.resource.ends_with("reviews")
    }
}

impl Counts {
    pub(crate) fn add(&mut self, request: Request, code: u16) {
        let count = self.0.entry(request).or_default();
        count.sent += 1;
        count.accepted += u64::from((200..300).contains(&code));
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        let left = self.0.iter().filter_map(|(request, count)| {
            let earlier = before.0.get(request).copied().unwrap_or_default();
            let left = Count { sent: count.sent - earlier.sent, accepted: count.accepted - earlier.accepted };
            (left.sent > 0).then(|| (request.clone(), left))
        });
        Self(left.collect())
    }

    /// All requests.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().map(|count| count.sent).sum()
    }

    /// Lists and watches by which caches are filled and kept.
    pub(crate) fn of_caches(&self) -> u64 {
        self.sum(|request, count| if request.is_of_a_cache() { count.sent } else { 0 })
    }

    /// Writes that were accepted.
    pub(crate) fn writes_accepted(&self) -> u64 {
        self.sum(|request, count| if request.is_write() { count.accepted } else { 0 })
    }

    /// Requests that were refused, a conflict for instance.
    pub(crate) fn refused(&self) -> u64 {
        self.sum(|_, count| count.sent - count.accepted)
    }

    /// Each kind of request, and how many were sent.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&Request, u64)> {
        self.0.iter().map(|(request, count)| (request, count.sent))
    }

    pub(crate) fn sent(&self, request: &Request) -> u64 {
        self.0.get(request).map_or(0, |count| count.sent)
    }

    #[cfg(test)]
    pub(crate) fn accepted(&self, request: &Request) -> u64 {
        self.0.get(request).map_or(0, |count| count.accepted)
    }

    fn sum(&self, of: impl Fn(&Request, &Count) -> u64) -> u64 {
        self.0.iter().map(|(request, count)| of(request, count)).sum()
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
