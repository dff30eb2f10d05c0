//! What several unit tests share.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use kube::CustomResource;
use lease_core::{Clock, Monotonic, Now};
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    caches::ChildLabels,
    observability::{log_limit::LogLimit, metrics::Metrics},
    sharded::Sharded,
};

/// A clock that moves only when it is advanced.
#[derive(Debug, Default)]
pub(crate) struct ByHand(Mutex<Duration>);

impl ByHand {
    pub(crate) fn advance(&self, span: Duration) {
        *self.0.lock() += span;
    }
}

impl Clock for ByHand {
    fn now(&self) -> Now {
        Now::default().after(*self.0.lock())
    }

    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, _span: Duration) -> BoxFuture<'static, ()> {
        futures::future::pending().boxed()
    }
}

/// Those of gadgets, in a shard of which no reconcile runs.
pub(crate) fn child_labels() -> ChildLabels {
    let metrics = Metrics::default().of_kind("Gadget.example.com");
    ChildLabels::new(Some("b".into()), metrics, LogLimit::default(), Arc::new(ByHand::default()))
}

/// So many seconds after the origin of a replica's monotonic clock.
pub(crate) fn at(seconds: u64) -> Monotonic {
    Monotonic::from_origin(Duration::from_secs(seconds))
}

/// LeaseDuration of the replica that looks.
pub(crate) const LEASE_DURATION: Duration = Duration::from_secs(15);

/// A kind without a status.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Gadget", namespaced)]
pub(crate) struct GadgetSpec {}

impl Sharded for Gadget {}

/// A kind that is in no namespace.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[kube(group = "example.com", version = "v1", kind = "Tenant")]
pub(crate) struct TenantSpec {}

impl Sharded for Tenant {}
