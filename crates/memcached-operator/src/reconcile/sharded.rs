//! What the shard router wants to know. The only place of the pipeline that knows of shards.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Client;
use kube::runtime::controller::Action;
use shard_router::{Connection, Failure, Held, Options, Reconciler, Sharded, ShardedApp, Undecodable};

use super::error::ReconcileError;
use super::fetch;
use super::run::MemcachedReconciler;
use super::status::report_undecodable;
use crate::crd::Memcached;

/// How soon after a conflict to look again: what won is in the cache by then.
const AFTER_CONFLICT: Duration = Duration::from_millis(500);

/// So many in a row are conflicts with somebody. What is answered with 409 more often than that (an admission webhook may deny with it)
/// is a failure like any other.
const CONFLICTS: u32 = 3;

/// A replica of this operator.
pub fn operator(
    connection: impl Into<Connection>,
    options: Options,
    reconciler: impl Reconciler<Memcached>,
) -> ShardedApp {
    let mut app = ShardedApp::new(connection, options);
    app.controller::<Memcached>()
        .owns::<StatefulSet>()
        .owns::<Service>()
        .owns::<PodDisruptionBudget>()
        .run(reconciler);
    app
}

impl Sharded for Memcached {
    fn recorded_bucket(&self) -> Option<u8> {
        self.status.as_ref().and_then(|status| status.bucket)
    }

    fn has_unobserved_generation(&self) -> bool {
        self.status.as_ref().and_then(|status| status.observed_generation) != self.metadata.generation
    }
}

impl Reconciler<Memcached> for MemcachedReconciler {
    type Error = ReconcileError;

    async fn reconcile(&self, memcached: Arc<Memcached>, held: Held) -> Result<Action, ReconcileError> {
        let children = fetch::cached(&held, &memcached, self.applier()).await;
        let failures = held.earlier_failures();
        Box::pin(self.run(&memcached, children, &held.client(), held.bucket_label().as_ref(), failures)).await
    }

    /// A conflict is no reason to be slow, unless they go on; all else follows the growing backoff.
    fn after_failure(
        &self,
        _: &Memcached,
        failure: &Failure<ReconcileError>,
        failures: u32,
        backoff: Duration,
    ) -> Action {
        match failure {
            Failure::Error(error) if error.is_conflict() && failures <= CONFLICTS => {
                Action::requeue(backoff.min(AFTER_CONFLICT))
            }
            _ => Action::requeue(backoff),
        }
    }

    async fn report_undecodable(&self, object: &Undecodable, client: Client) -> Result<(), kube::Error> {
        report_undecodable(object, client, self.wall()).await
    }
}
