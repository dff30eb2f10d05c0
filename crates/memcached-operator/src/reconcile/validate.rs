//! From a raw spec to one that can be built: what the schema could not judge is judged here, and every default is
//! filled in. The raw spec goes no further. Takes no client.

mod args;
mod resources;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;

use crate::crd::{DEFAULT_REPOSITORY, DEFAULT_VERSION, MAX_REPLICAS, Memcached, MemcachedSpec};

pub use args::ArgumentProblem;
pub use resources::ResourceProblem;

/// A fleet that can be built: complete and free of contradictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// The name of the resource, and of each child.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What the children belong to. Without `blockOwnerDeletion`, which would take rights on finalizers.
    pub owner: OwnerReference,
    /// How many servers.
    pub replicas: i32,
    /// The full image reference.
    pub image: String,
    /// Memory for items, in memcached's megabytes of 1024 × 1024 bytes.
    pub memory_limit_megabytes: i32,
    /// Connections to one server.
    pub max_connections: i32,
    /// Threads of one server.
    pub threads: i32,
    /// Arguments that the user added.
    pub extra_args: Vec<String>,
    /// Requests and limits, with memory filled in.
    pub resources: ResourceRequirements,
}

/// One thing that is wrong with a spec which the schema let through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Only where the installed definition is older than the operator, or an object older than the definition.
    #[error("spec.{field} is {value}, outside of {min} to {max}; choose a value in that range")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// What it says.
        value: i32,
        /// Smallest value allowed.
        min: i32,
        /// Largest value allowed.
        max: i32,
    },
    /// As above.
    #[error(
        "spec.image and spec.version are both set; remove one, version picks a tag of {DEFAULT_REPOSITORY}"
    )]
    ImageAndVersion,
    /// An extra argument.
    #[error(transparent)]
    Argument(#[from] ArgumentProblem),
    /// Requests or limits.
    #[error(transparent)]
    Resources(#[from] ResourceProblem),
    /// Not from an API server, then.
    #[error("the resource has no {0}; it has to come from an API server")]
    NoIdentity(&'static str),
}

/// Checks a resource and fills in every default.
///
/// # Errors
/// Everything that is wrong, so that it can be mended in one go.
pub fn validate(memcached: &Memcached) -> Result<Fleet, Vec<Problem>> {
    let spec = &memcached.spec;
    let mut problems = out_of_range(spec);
    if spec.image.is_some() && spec.version.is_some() {
        problems.push(Problem::ImageAndVersion);
    }
    if let Err(problem) = args::check(&spec.extra_args) {
        problems.push(problem.into());
    }
    let resources = resources::resolve(spec).unwrap_or_else(|found| {
        problems.extend(found.into_iter().map(Problem::from));
        ResourceRequirements::default()
    });
    let owner = memcached.controller_owner_ref(&()).or_else(|| {
        problems.push(Problem::NoIdentity("name and uid"));
        None
    });
    let (Some(owner), true) = (owner, problems.is_empty()) else { return Err(problems) };
    Ok(Fleet {
        name: owner.name.clone(),
        namespace: memcached.meta().namespace.clone().unwrap_or_default(),
        owner,
        replicas: spec.replicas,
        image: image(spec),
        memory_limit_megabytes: spec.memory_limit_megabytes,
        max_connections: spec.max_connections,
        threads: spec.threads,
        extra_args: spec.extra_args.clone(),
        resources,
    })
}

/// The image that a spec asks for.
pub fn image(spec: &MemcachedSpec) -> String {
    spec.image.clone().unwrap_or_else(|| {
        format!("{DEFAULT_REPOSITORY}:{}", spec.version.as_deref().unwrap_or(DEFAULT_VERSION))
    })
}

fn out_of_range(spec: &MemcachedSpec) -> Vec<Problem> {
    [
        ("replicas", spec.replicas, 0, MAX_REPLICAS),
        ("memoryLimitMegabytes", spec.memory_limit_megabytes, 8, 1_048_576),
        ("maxConnections", spec.max_connections, 1, 1_000_000),
        ("threads", spec.threads, 1, 64),
    ]
    .into_iter()
    .filter(|(_, value, min, max)| value < min || value > max)
    .map(|(field, value, min, max)| Problem::OutOfRange { field, value, min, max })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::memcached;
    use serde_json::json;

    fn problems(spec: serde_json::Value) -> String {
        let found = validate(&memcached(spec)).expect_err("refused");
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn an_empty_spec_is_a_sound_fleet() {
        let fleet = validate(&memcached(json!({}))).expect("valid");
        assert_eq!(fleet.image, "docker.io/library/memcached:1.6.39");
        assert_eq!((fleet.replicas, fleet.memory_limit_megabytes, fleet.threads), (1, 64, 4));
        assert_eq!(fleet.owner.controller, Some(true));
        assert_eq!(fleet.owner.block_owner_deletion, None);
    }

    #[test]
    fn the_image_comes_from_image_or_version() {
        let by_version = validate(&memcached(json!({"version": "1.6.38-alpine"}))).expect("valid");
        assert_eq!(by_version.image, "docker.io/library/memcached:1.6.38-alpine");
        let by_image =
            validate(&memcached(json!({"image": "registry.example.com/mc@sha256:00"}))).expect("valid");
        assert_eq!(by_image.image, "registry.example.com/mc@sha256:00");
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let message = problems(json!({
            "image": "a", "version": "1.6", "replicas": 101, "extraArgs": ["--thr=9"],
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}},
        }));
        for phrase in [
            "spec.replicas is 101, outside of 0 to 100",
            "both set; remove one",
            "--thr=9",
            "resources.requests.cpu (2) is larger than resources.limits.cpu (1)",
        ] {
            assert!(message.contains(phrase), "{phrase:?} is missing in {message}");
        }
    }
}
