//! The options of a replica.

mod setters;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use lease_core::ElectionsOptions;
use tokio::sync::watch;

use crate::{
    fencing::Fencing,
    names::Names,
    observability::records::RecordSink,
    routing::{bucket::ShardCount, layout::Layout},
    wanted_shards::ShardsConfigMap,
};

/// The options of a replica. All replicas of an operator must have the same `key_label`; a replica that
/// differs from the committed layout refuses to work, unless it [may replace](Self::layout_replacement) the layout. The number of shards may differ: the coordinator changes it to what it is set to itself.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Leader election: LeaderElectionID, namespace, identity, timings, the domain of labels and annotations, and whether it is
    /// on ([`ElectionsOptions::leader_election`]). If it is off, this must be the only replica, and it works on all shards at once.
    pub elections: ElectionsOptions,
    /// The user agent for the API server, such as `memcached-operator/0.1.0`. The identity is appended
    /// in parentheses, so that an audit log shows which replica wrote. The name without the version is the field manager of children.
    pub product: String,
    /// The number of shards. If there is a committed layout with another number, the coordinator changes it while the replicas work.
    pub shards: ShardCount,
    /// The number of shards that is wanted at run time, instead of `shards`: whenever it changes, the coordinator changes the layout. `None` for a number that does not change. All
    /// replicas should be given the same.
    pub wanted_shards: Option<watch::Receiver<ShardCount>>,
    /// The ConfigMap that says how many shards are wanted, instead of `wanted_shards` and `shards`: the coordinator reads it and follows its changes. As long as it says nothing that
    /// can be followed, the committed number stays, and the first layout has `shards`. `None` for none.
    pub shards_config_map: Option<ShardsConfigMap>,
    /// The label whose value is the shard key; `None` for `namespace/name`, or the `name` of a cluster-scoped resource.
    pub key_label: Option<String>,
    /// Whether this replica, as the coordinator, replaces a committed layout that differs from its settings in the key label, the hash or the kinds. Default: no; it
    /// refuses to work instead.
    ///
    /// This is how to change these settings while replicas run: a rolling update starts replicas with the new settings, which are ready and do no work until one of
    /// them becomes the coordinator. It commits the new layout; the replicas with the former settings end all their work and refuse; and nothing starts under the new layout before every
    /// shard Lease has acknowledged it. So no resource is worked on by anybody in between: usually for some seconds, and if a replica with the former settings dies meanwhile, for
    /// LeaseDuration. Afterwards switch it off, so that a mistake in the settings is refused again.
    pub layout_replacement: bool,
    /// The namespaces to watch; empty for all. Each namespace costs one watch for the resources and one for each owned
    /// type, per shard. With dozens of namespaces, watching all is cheaper. Cluster-scoped kinds are listed as a whole.
    pub watch_namespaces: BTreeSet<String>,
    /// The maximum number of concurrent reconciles per shard. Default: 8.
    pub concurrency_per_shard: usize,
    /// The maximum number of concurrent reconciles of the replica, over all its shards. Default: 64.
    pub concurrency: usize,
    /// How many shards may fill their caches at the same time; the others are held and wait. This limits the load of a replica
    /// that takes over many shards. Default: 2.
    pub concurrent_starts: usize,
    /// How long after a successful reconcile without a requeue a resource is reconciled again, with a jitter of ±10 %.
    /// `None` for never. Default: 10 minutes.
    pub resync: Option<Duration>,
    /// How long running reconciles may take to finish when a shard is handed over; then they are aborted. Default: 30 s.
    pub drain_timeout: Duration,
    /// The delay after a failed reconcile.
    pub backoff: Backoff,
    /// How long membership must be unchanged before the plan is adapted to it, and before shards move to follow the plan. Default:
    /// one RetryPeriod, see [`Options::membership_settle`].
    pub membership_settle: Option<Duration>,
    /// How long a replica that is not the coordinator leaves an unstamped resource to the coordinator, and how long after another replica has last made
    /// progress with others. Each replica adds up to half of it, so that they do not begin at the same time. Default: three LeaseDurations.
    pub stamp_delay: Option<Duration>,
    /// Where to write the reconcile records; `None` for nowhere.
    pub records: Option<Arc<dyn RecordSink>>,
    /// The Pod that the process runs in. It becomes the owner of the member Lease, and with fencing the rows of the ownership table name it. Default: [`Pod::from_env`].
    pub pod: Option<Pod>,
    /// Whether and how this replica writes the [ownership table](crate::fencing), so that the API server can refuse writes of Pods that do not own a bucket. It needs [`pod`](Self::pod), and
    /// leader election. Default: `None`, it does not.
    pub fencing: Option<Fencing>,
    /// The seed for the jitter of retries and resyncs.
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
    /// From POD_NAME, POD_UID and POD_NAMESPACE, which the Downward API can set; `None` unless the first two are set.
    pub fn from_env() -> Option<Self> {
        let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Self { name: read("POD_NAME")?, uid: read("POD_UID")?, namespace: read("POD_NAMESPACE") })
    }

    /// A reference to it, for an event. `namespace`: where it is looked for if its own is not known.
    pub(crate) fn reference(&self, namespace: &str) -> ObjectReference {
        ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(self.name.clone()),
            uid: Some(self.uid.clone()),
            namespace: Some(self.namespace.clone().unwrap_or_else(|| namespace.to_owned())),
            ..ObjectReference::default()
        }
    }

    /// The owner reference with which a member Lease in `namespace` is deleted together with its Pod. `None` if this is not the Pod's namespace: an owner
    /// cannot be in another namespace, and the garbage collector would delete the Lease of a running replica as an orphan. Then only
    /// the coordinator deletes the Lease of a dead member.
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
            wanted_shards: None,
            shards_config_map: None,
            key_label: None,
            layout_replacement: false,
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
            fencing: None,
        }
    }

    /// The owner of the replica's member Lease.
    pub(crate) fn member_owner(&self) -> Option<OwnerReference> {
        self.pod.as_ref()?.owner_in(&self.elections.namespace)
    }

    /// The defaults for a CRD, with its API group as the domain of labels and annotations.
    pub fn for_crd<K: kube::Resource<DynamicType = ()>>(mut elections: ElectionsOptions) -> Self {
        elections.domain = K::group(&()).into_owned();
        Self::new(elections)
    }

    /// How long membership must be unchanged before it has any effect.
    pub fn membership_settle(&self) -> Duration {
        self.membership_settle.unwrap_or_else(|| self.elections.timings.retry_period())
    }

    /// The maximum duration of a shutdown, whether the API server answers or not: the drain timeout, plus one request timeout for the
    /// release of the Leases. The Pod's `terminationGracePeriodSeconds` must be longer.
    pub fn shutdown_limit(&self) -> Duration {
        let elects = self.elections.leader_election;
        let release = if elects { self.elections.timings.request_timeout() } else { Duration::ZERO };
        self.drain_timeout.saturating_add(release)
    }

    /// See [`Options::stamp_delay`].
    pub fn stamp_delay(&self) -> Duration {
        self.stamp_delay.unwrap_or_else(|| 3 * self.elections.timings.lease_duration())
    }

    /// The longest pause between two attempts of anything that is retried. After a longer pause it is no longer retried at all.
    pub(crate) fn longest_silence(&self) -> Duration {
        2 * self.backoff.cap + self.elections.timings.lease_duration()
    }

    /// The names of Leases, labels and annotations.
    pub fn names(&self) -> Names {
        Names::new(self.elections.id.clone(), self.elections.domain.clone())
    }

    /// The layout that these options describe.
    pub fn layout(&self) -> Layout {
        Layout::first(self.shards_now(), self.key_label.clone())
    }

    /// The number of shards that is wanted now.
    pub(crate) fn shards_now(&self) -> ShardCount {
        self.wanted_shards.as_ref().map_or(self.shards, |wanted| *wanted.borrow())
    }

    /// The product without its version: the field manager of children, and who reports events.
    pub(crate) fn product_name(&self) -> &str {
        self.product.split('/').next().unwrap_or_default()
    }

    /// `<product> (<identity>)`, for reconcilers.
    pub(crate) fn user_agent(&self) -> String {
        format!("{} ({})", self.product, self.elections.identity)
    }

    /// `<name>-stamper/<version> (<identity>)`: writes to custom resources outside of a reconcile have a different
    /// user agent, so that they can be distinguished in an audit log.
    pub(crate) fn stamper_user_agent(&self) -> String {
        self.user_agent_of("stamper")
    }

    /// The same for the user's tasks beside the reconciles: `<name>-task/<version> (<identity>)`.
    pub(crate) fn task_user_agent(&self) -> String {
        self.user_agent_of("task")
    }

    fn user_agent_of(&self, part: &str) -> String {
        let (name, version) = self.product.split_once('/').unwrap_or((&self.product, "0"));
        format!("{name}-{part}/{version} ({})", self.elections.identity)
    }
}

/// Exponential backoff after failures of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The delay after the first failure.
    pub base: Duration,
    /// The maximum delay.
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

    /// The delay after this many failures in a row (1 is the first). `roll`, from 0 to 1, is for jitter: the
    /// result lies between half of the delay and the full delay, so that objects that failed at the same time are not retried at the
    /// same time.
    pub fn delay(self, failures: u32, roll: f64) -> Duration {
        let doubled = self.base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.cap).mul_f64(0.5 + roll.clamp(0.0, 1.0) / 2.0)
    }

    /// The same where the API server wants to be left alone for `asked` (its `Retry-After`): no sooner than that, and spread over half of it
    /// again.
    pub fn delay_as_asked(self, failures: u32, roll: f64, asked: Duration) -> Duration {
        let asked = asked.min(self.cap).mul_f64(1.0 + roll.clamp(0.0, 1.0) / 2.0);
        self.delay(failures, roll).max(asked)
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

    #[test]
    fn what_the_api_server_asks_for_is_waited_for_up_to_the_cap() {
        let backoff = Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(60) };
        let asked =
            |failures, roll, seconds| backoff.delay_as_asked(failures, roll, Duration::from_secs(seconds));
        assert_eq!(asked(1, 0.0, 7), Duration::from_secs(7));
        assert_eq!(asked(1, 1.0, 8), Duration::from_secs(12));
        assert_eq!(asked(1, 0.0, 0), Duration::from_millis(500));
        assert_eq!(asked(6, 1.0, 7), Duration::from_secs(32), "the backoff is longer");
        assert_eq!(asked(1, 0.0, 86_400), Duration::from_secs(60));
    }
}
