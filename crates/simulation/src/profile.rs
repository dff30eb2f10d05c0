//! A kind that is not sharded: whoever holds the coordinator Lease reconciles all of its resources.
//!
//! A reconcile waits between reading and writing, as long as one of a `Memcached` may, and writes each time. Each resource is reconciled again and again, so
//! that one is under way at most times when the Lease changes hands.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use kube::CustomResource;
use kube::ResourceExt as _;
use kube::runtime::predicates;
use lease_core::Clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shard_router::{Action, Held, Sharded, ShardedApp};

use crate::schedule::Span;

/// The API group of the kind.
pub(crate) const GROUP: &str = "fleet.example.com";

/// Its plural.
pub(crate) const PLURAL: &str = "profiles";

/// As records call it, beside another kind.
pub(crate) const KIND: &str = "Profile.fleet.example.com";

/// How soon it is reconciled again without any news.
const AGAIN: Duration = Duration::from_secs(3);

/// What somebody asks for.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(group = "fleet.example.com", version = "v1", kind = "Profile", namespaced, status = "ProfileStatus")]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileSpec {
    /// Any number.
    pub(crate) level: i32,
}

/// What came of it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileStatus {
    /// The number that was reconciled last.
    pub(crate) level: Option<i32>,
    /// How often it has been reconciled.
    #[serde(default)]
    pub(crate) rounds: u64,
}

impl Sharded for Profile {}

/// Adds the kind to what a replica reconciles. Each reconcile takes as long as `takes` says, drawn from `seed`.
pub(crate) fn declare(app: &mut ShardedApp, clock: Arc<dyn Clock>, takes: Span, seed: u64) {
    let reconcile = move |profile: Arc<Profile>, held: Held| {
        let clock = Arc::clone(&clock);
        async move {
            clock.sleep(pause(&profile, takes, seed)).await;
            let rounds = profile.status.as_ref().map_or(0, |status| status.rounds);
            let status = json!({"level": profile.spec.level, "rounds": rounds + 1});
            held.patch_status(profile.as_ref(), status).await?;
            Ok::<_, kube::Error>(Action::requeue(AGAIN))
        }
    };
    // Otherwise what it writes would make it due again.
    app.unsharded::<Profile>().predicate(predicates::generation).run(reconcile);
}

/// The same again for the same state of a resource.
fn pause(profile: &Profile, takes: Span, seed: u64) -> Duration {
    let mut hasher = DefaultHasher::new();
    (seed, profile.name_any(), profile.resource_version()).hash(&mut hasher);
    let roll = fastrand::Rng::with_seed(hasher.finish()).f64();
    takes.min + takes.max.saturating_sub(takes.min).mul_f64(roll)
}
