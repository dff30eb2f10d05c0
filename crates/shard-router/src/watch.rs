//! Lists and watches of custom resources: which namespaces, how each object is decoded, and how failures are retried.

pub(crate) mod backoff;
pub(crate) mod first_list;
pub(crate) mod lenient;
pub(crate) mod scope;
pub(crate) mod watcher;
