//! Requests and limits: the container has to hold the cache, and what else a server needs.

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::crd::MemcachedSpec;
use shard_router::thousandths;

/// Code, libraries and fixed tables of a server.
const BASE_MEGABYTES: i32 = 16;
/// Buffers of one thread.
const THREAD_MEGABYTES: i32 = 2;
/// What the kernel and memcached keep for one connection, roughly.
const CONNECTIONS_PER_MEGABYTE: i32 = 256;

/// Why requests and limits are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceProblem {
    /// Not a quantity at all.
    #[error("spec.resources.{field} is {value:?}, which is no quantity; write it like 500m or 128Mi")]
    NotAQuantity {
        /// `limits.memory` and the like.
        field: String,
        /// What it says.
        value: String,
    },
    /// Kubernetes would refuse the pods, one by one and far from here.
    #[error(
        "spec.resources.requests.{resource} ({request}) is larger than resources.limits.{resource} ({limit}); \
         lower the request or raise the limit"
    )]
    RequestAboveLimit {
        /// `cpu`, `memory`, …
        resource: String,
        /// As given.
        request: String,
        /// As given.
        limit: String,
    },
    /// The kernel would kill a full cache.
    #[error(
        "spec.resources.limits.memory ({limit}) leaves a cache of {cache}Mi too little for connections and the server \
         itself; raise it to {needed}Mi or more, or lower memoryLimitMegabytes"
    )]
    NoHeadroom {
        /// As given.
        limit: String,
        /// Memory for items, in Mi.
        cache: i32,
        /// The smallest limit that will do, in Mi.
        needed: i32,
    },
}

/// Checks what is given and fills in memory: the limit follows from the cache with room for the rest, and the request
/// equals the limit, because a cache that fills up uses all of it.
pub(super) fn resolve(spec: &MemcachedSpec) -> Result<ResourceRequirements, Vec<ResourceProblem>> {
    let mut resources = spec.resources.clone().unwrap_or_default();
    let limits = resources.limits.get_or_insert_default();
    let requests = resources.requests.get_or_insert_default();
    let mut problems = Vec::new();
    for (kind, quantities) in [("limits", &*limits), ("requests", &*requests)] {
        for (resource, quantity) in quantities {
            if thousandths(quantity).is_none() {
                let field = format!("{kind}.{resource}");
                problems.push(ResourceProblem::NotAQuantity { field, value: quantity.0.clone() });
            }
        }
    }
    if let Some(limit) = limits.get("memory") {
        problems.extend(no_headroom(spec, limit));
    } else {
        let comfortable = Quantity(format!("{}Mi", comfortable_megabytes(spec)));
        let larger = requests.get("memory").filter(|r| thousandths(r) > thousandths(&comfortable)).cloned();
        limits.insert("memory".into(), larger.unwrap_or(comfortable));
    }
    if !requests.contains_key("memory") {
        requests.insert("memory".into(), limits["memory"].clone());
    }
    for (resource, request) in &*requests {
        if let Some(limit) = limits.get(resource).filter(|limit| thousandths(request) > thousandths(limit)) {
            let (request, limit) = (request.0.clone(), limit.0.clone());
            problems.push(ResourceProblem::RequestAboveLimit { resource: resource.clone(), request, limit });
        }
    }
    if problems.is_empty() { Ok(resources) } else { Err(problems) }
}

fn no_headroom(spec: &MemcachedSpec, limit: &Quantity) -> Option<ResourceProblem> {
    let needed = smallest_megabytes(spec);
    let enough = i128::from(needed) * 1024 * 1024 * 1000;
    let too_small = thousandths(limit).is_some_and(|given| given < enough);
    too_small.then(|| ResourceProblem::NoHeadroom {
        limit: limit.0.clone(),
        cache: spec.memory_limit_megabytes,
        needed,
    })
}

/// Less than this cannot hold a full cache and its connections.
fn smallest_megabytes(spec: &MemcachedSpec) -> i32 {
    spec.memory_limit_megabytes
        .saturating_add(BASE_MEGABYTES)
        .saturating_add(spec.max_connections / CONNECTIONS_PER_MEGABYTE)
}

/// With room for threads, and an eighth of the cache for its hash table and half-filled pages.
fn comfortable_megabytes(spec: &MemcachedSpec) -> i32 {
    smallest_megabytes(spec)
        .saturating_add(spec.threads.saturating_mul(THREAD_MEGABYTES))
        .saturating_add(spec.memory_limit_megabytes / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::memcached;
    use serde_json::{Value, json};

    fn resolved(spec: Value) -> Result<Value, String> {
        resolve(&memcached(spec).spec)
            .map(|resources| serde_json::to_value(resources).expect("JSON"))
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn memory_follows_from_the_cache() {
        let expected = json!({"limits": {"memory": "100Mi"}, "requests": {"memory": "100Mi"}});
        assert_eq!(resolved(json!({})), Ok(expected));
    }

    #[test]
    fn what_is_given_is_kept() {
        let given =
            json!({"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "512Mi"}});
        assert_eq!(resolved(json!({"resources": given})), Ok(given));
    }

    #[test]
    fn a_large_request_raises_the_limit() {
        let resources = resolved(json!({"resources": {"requests": {"memory": "1Gi"}}})).expect("valid");
        assert_eq!(resources["limits"]["memory"], "1Gi");
    }

    #[test]
    fn refusals_say_what_to_do() {
        for (resources, phrase) in [
            (json!({"limits": {"memory": "70Mi"}}), "raise it to 84Mi or more"),
            (
                json!({"limits": {"memory": "1Gi"}, "requests": {"memory": "2Gi"}}),
                "requests.memory (2Gi) is larger",
            ),
            (json!({"limits": {"cpu": "many"}}), "limits.cpu is \"many\", which is no quantity"),
        ] {
            let message = resolved(json!({"resources": resources})).expect_err(phrase);
            assert!(message.contains(phrase), "{message}");
        }
    }
}
