//! Settings, with defaults that hold up.

mod setters;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use lease_core::ElectionsOptions;

use crate::{
    names::Names,
    observability::records::RecordSink,
    routing::{bucket::ShardCount, layout::Layout},
};

/// The settings of a replica. All replicas of an operator must agree on `shards` and `key_label`; one that
/// differs from the committed layout refuses to work.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// The election: LeaderElectionID, namespace, identity, timings, the domain of labels and annotations, and whether there is
    /// one ([`ElectionsOptions::leader_election`]): without it this must be the only replica, and it works on every shard at once.
    pub elections: ElectionsOptions,
    /// The user agent for the API server, such as `memcached-operator/0.1.0`; the identity is put
    /// behind it in parentheses, so that an audit log tells who wrote.
    pub product: String,
    /// The number of shards.
    pub shards: ShardCount,
    /// The label that shard keys come from; `None` for `namespace/name`.
    pub key_label: Option<String>,
    /// The only namespaces to look at; empty for all. Each is a watch of its own, for the resources and for each owned
    /// type, in each shard: with dozens of namespaces, all of them cost less than those that are named.
    pub watch_namespaces: BTreeSet<String>,
    /// How many reconciles of one shard may run at once. Default 8.
    pub concurrency_per_shard: usize,
    /// How many reconciles may run at once in the whole replica, however many shards it holds. Default 64.
    pub concurrency: usize,
    /// How many shards may be filling their caches at once; the others are held meanwhile and wait. It keeps a replica
    /// that inherits many shards from drowning. Default 2.
    pub concurrent_starts: usize,
    /// How long after a reconcile that asked for nothing a resource is looked at again; spread by 10 % either way.
    /// `None` for never. Default 10 minutes.
    pub resync: Option<Duration>,
    /// How long running reconciles may take to end when a shard is handed over, before they are aborted. Default 30 s.
    pub drain_timeout: Duration,
    /// How long to wait after a failed reconcile.
    pub backoff: Backoff,
    /// How long membership must have been unchanged before the plan follows it, and shards follow the plan. Default:
    /// one RetryPeriod, see [`Options::membership_settle`].
    pub membership_settle: Option<Duration>,
    /// How long a replica that does not coordinate leaves an unstamped resource to the one that does. Default: three
    /// LeaseDurations.
    pub stamp_delay: Option<Duration>,
    /// Where the reconcile records go; `None` for nowhere.
    pub records: Option<Arc<dyn RecordSink>>,
    /// The Pod that the process runs in, as owner of its member Lease. Default: [`Pod::from_env`].
    pub pod: Option<Pod>,
    /// Seeds the jitter of retries and resyncs.
    pub seed: u64,
}

/// The Pod that a replica runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.namespace`, if it is known.
    pub namespace: Option<String>,
}

impl Pod {
    /// From POD_NAME, POD_UID and POD_NAMESPACE, as the Downward API fills them in; `None` unless the first two are set.
    pub fn from_env() -> Option<Self> {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self { name: read("POD_NAME")?, uid: read("POD_UID")?, namespace: read("POD_NAMESPACE") })
    }

    /// What makes a member Lease in `namespace` go with its Pod. Nothing unless that is the Pod's own namespace: an owner
    /// cannot be in another one, and the garbage collector would delete the Lease of a live replica as an orphan. The
    /// Lease of a dead member is then deleted by the coordinator alone.
    pub(crate) fn owner_in(&self, namespace: &str) -> Option<OwnerReference> {
        (self.namespace.as_deref() == Some(namespace)).then(|| OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            ..OwnerReference::default()
        })
    }
}

impl Options {
    /// The defaults: one shard, key `namespace/name`, all namespaces.
    pub fn new(elections: ElectionsOptions) -> Self {
        Self {
            seed: elections.seed,
            elections,
            product: concat!("shard-router/", env!("CARGO_PKG_VERSION")).to_owned(),
            shards: ShardCount::ONE,
            key_label: None,
            watch_namespaces: BTreeSet::new(),
            concurrency_per_shard: 8,
            concurrency: 64,
            concurrent_starts: 2,
            resync: Some(Duration::from_mins(10)),
            drain_timeout: Duration::from_secs(30),
            backoff: Backoff::default(),
            membership_settle: None,
            stamp_delay: None,
            records: None,
            pod: Pod::from_env(),
        }
    }

    /// The owner of the replica's member Lease.
    pub(crate) fn member_owner(&self) -> Option<OwnerReference> {
        self.pod.as_ref()?.owner_in(&self.elections.namespace)
    }

    /// The defaults for a CRD: its API group is the domain of labels and annotations.
    pub fn for_crd<K: kube::Resource<DynamicType = ()>>(mut elections: ElectionsOptions) -> Self {
        elections.domain = K::group(&()).into_owned();
        Self::new(elections)
    }

    /// How long membership must have been unchanged before anything follows from it.
    pub fn membership_settle(&self) -> Duration {
        self.membership_settle.unwrap_or_else(|| self.elections.timings.retry_period())
    }

    /// How long a shutdown takes at most, whether the API server answers or not: the drain timeout, and one request timeout for the
    /// release of the Leases. A Pod's `terminationGracePeriodSeconds` has to be longer.
    pub fn shutdown_limit(&self) -> Duration {
        let elects = self.elections.leader_election;
        let release = if elects { self.elections.timings.request_timeout() } else { Duration::ZERO };
        self.drain_timeout.saturating_add(release)
    }

    /// See [`Options::stamp_delay`].
    pub fn stamp_delay(&self) -> Duration {
        self.stamp_delay.unwrap_or_else(|| 3 * self.elections.timings.lease_duration())
    }

    /// Nothing that is repeated is left alone for longer, unless nobody wants it any more.
    pub(crate) fn longest_silence(&self) -> Duration {
        2 * self.backoff.cap + self.elections.timings.lease_duration()
    }

    /// The names in the cluster.
    pub fn names(&self) -> Names {
        Names::new(self.elections.id.clone(), self.elections.domain.clone())
    }

    /// The layout that these settings stand for.
    pub fn layout(&self) -> Layout {
        Layout::first(self.shards, self.key_label.clone())
    }

    /// `<product> (<identity>)`, for reconcilers.
    pub(crate) fn user_agent(&self) -> String {
        format!("{} ({})", self.product, self.elections.identity)
    }

    /// `<name>-stamper/<version> (<identity>)`: writes on custom resources outside of a reconcile have another
    /// user agent, so that an audit log tells the two apart.
    pub(crate) fn stamper_user_agent(&self) -> String {
        let (name, version) = self.product.split_once('/').unwrap_or((&self.product, "0"));
        format!("{name}-stamper/{version} ({})", self.elections.identity)
    }
}

/// Exponential backoff of one object's failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// After the first failure.
    pub base: Duration,
    /// Never longer than this.
    pub cap: Duration,
}

impl Default for Backoff {
    /// 1 s, doubling up to 5 minutes.
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_mins(5) }
    }
}

impl Backoff {
    /// `base` after the first failure, doubling up to `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// The same with another cap.
    #[must_use]
    pub const fn with_cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// How long to wait after this many failures in a row (1 is the first), with `roll` from 0 to 1 for jitter: the
    /// result lies between a half and the whole of the doubled base, so that what failed together does not come back
    /// together.
    pub fn delay(self, failures: u32, roll: f64) -> Duration {
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.cap).mul_f64(0.5 + roll.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_owns_nothing_in_another_namespace() {
        let pod = Pod { name: "p".to_owned(), uid: "u".to_owned(), namespace: Some("operators".to_owned()) };
        assert_eq!(pod.owner_in("operators").map(|owner| owner.uid), Some("u".to_owned()));
        assert_eq!(pod.owner_in("leases"), None);
        assert_eq!(Pod { namespace: None, ..pod }.owner_in("operators"), None);
    }

    #[test]
    fn backoff_doubles_to_its_cap_and_is_spread() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(60) };
        assert_eq!(backoff.delay(1, 1.0), Duration::from_secs(1));
        assert_eq!(backoff.delay(4, 1.0), Duration::from_secs(8));
        assert_eq!(backoff.delay(4, 0.0), Duration::from_secs(4));
        assert_eq!(backoff.delay(u32::MAX, 1.0), Duration::from_secs(60));
        assert_eq!(backoff.delay(0, 1.0), Duration::from_secs(1));
    }
}
