//! Whatever fails twice in a row is told on the resource: the reason, the message, since when. A whole replica on an API server in memory, in
//! tokio's paused time, and one resource for each kind of failure.

#[path = "failures/answers.rs"]
mod answers;
#[path = "failures/clock.rs"]
mod clock;
#[path = "failures/faults.rs"]
mod faults;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use embedded_apiserver::EmbeddedServer;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, CustomResourceExt};
use lease_core::{Clock, ElectionsOptions, Identity, LeaderElectionId, LeaseRuntime};
use memcached_operator::crd::{Memcached, MemcachedStatus};
use memcached_operator::reconcile::status::{DEGRADED, READY, RECONCILING, STALLED, condition};
use memcached_operator::reconcile::{MemcachedReconciler, operator};
use serde_json::json;
use shard_router::Options;

use crate::answers::{Answer, FAILURES, Failure};
use crate::clock::Paused;
use crate::faults::{Faults, Reports};

/// Longer than the longest backoff, twice.
const LONG: Duration = Duration::from_mins(20);
/// Waits double from a second to five minutes, so that there are no more of them in that time; and a few more, as each status that is
/// written brings the next attempt forward.
const MOST_ATTEMPTS: usize = 20;

#[tokio::test(start_paused = true)]
async fn what_fails_twice_in_a_row_is_told_with_its_reason_its_message_and_since_when() {
    let harness = Harness::new().await;
    harness.fail();
    for failure in FAILURES {
        harness.create(failure.name).await;
    }
    tokio::time::sleep(LONG).await;
    let first: Vec<_> =
        FAILURES.iter().map(|failure| judge(failure, &harness.faults.reports(failure.name))).collect();

    harness.faults.answer(BTreeMap::new());
    tokio::time::sleep(LONG).await;
    for failure in FAILURES {
        let reports = harness.faults.reports(failure.name);
        let [(0, status)] = &reports.told[..] else { panic!("{}: {reports:?}", failure.name) };
        assert_eq!(of(status, DEGRADED).status, "False", "{}: it recovers", failure.name);
    }

    // What failed long ago does not count for the next failure in a row.
    harness.fail();
    for failure in FAILURES {
        harness.edit(failure.name).await;
    }
    tokio::time::sleep(LONG).await;
    for (failure, first) in FAILURES.iter().zip(first) {
        let again = judge(failure, &harness.faults.reports(failure.name));
        assert!(again > first, "{}: since {again}, and the time before since {first}", failure.name);
    }
}

/// Why Pods are not created, as kube-apiserver says it to the StatefulSet controller, and again in a minute with another number in it.
const REFUSED_PODS: [(&str, &str); 4] = [
    (
        "pod-quota",
        "pods \"pod-quota-0\" is forbidden: exceeded quota: q, requested: pods=1, used: pods={}, limited: pods=1",
    ),
    (
        "limit-range",
        "pods \"limit-range-0\" is forbidden: maximum cpu usage per Container is 100m, but limit is {}m",
    ),
    (
        "pod-security",
        "pods \"pod-security-0\" is forbidden: violates PodSecurity \"restricted:v1.{}\": seccompProfile",
    ),
    ("pod-webhook", "admission webhook \"policy.example.com\" denied the request: see case {}"),
];

#[tokio::test(start_paused = true)]
async fn pods_that_cannot_be_created_are_told_once_however_often_that_is_tried() {
    let harness = Harness::new().await;
    for (name, _) in REFUSED_PODS {
        harness.create(name).await;
    }
    for minute in 0..20 {
        tokio::time::sleep(Duration::from_mins(1)).await;
        for (name, why) in REFUSED_PODS {
            harness.refuse_pod(name, minute, &why.replace("{}", &(minute + 2).to_string())).await;
        }
    }
    for (name, why) in REFUSED_PODS {
        let reports = harness.faults.reports(name);
        let told: Vec<_> = reports.told.iter().map(|(_, status)| of(status, DEGRADED)).collect();
        let [.., healthy, degraded] = &told[..] else { panic!("{name}: {told:?}") };
        assert_eq!(
            (healthy.status.as_str(), degraded.status.as_str()),
            ("False", "True"),
            "{name}: {told:?}"
        );
        assert_eq!(degraded.reason, "FailedCreate", "{name}");
        let sentence = format!("A Pod cannot be created: {}.", why.replace("{}", "2"));
        assert_eq!(degraded.message, sentence, "{name}: as it was told first");
    }
}

/// Whether the resource tells its failure as it should. Returns since when.
fn judge(failure: &Failure, reports: &Reports) -> String {
    let name = failure.name;
    let told: Vec<_> =
        reports.told.iter().filter(|(_, status)| of(status, DEGRADED).status == "True").collect();
    let Some((failures, status)) = told.first() else { panic!("{name}: nothing is told: {reports:?}") };
    // After a conflict the same reconcile looks once more.
    let each = if matches!(failure.answer, Answer::Refused(409, ..)) { 2 } else { 1 };
    let reconciles = if failure.stalls { 1 } else { 2 };
    assert_eq!(*failures, each * reconciles, "{name}: told after so many failures");
    let degraded = of(status, DEGRADED);
    assert_eq!(degraded.reason, "ApplyFailed", "{name}");
    assert!(degraded.message.contains(failure.words), "{name}: {}", degraded.message);
    let ready = of(status, READY);
    assert_eq!((ready.status.as_str(), &ready.message), ("False", &degraded.message), "{name}");
    let stalls = |type_| of(status, type_).status == "True";
    assert_eq!((stalls(STALLED), stalls(RECONCILING)), (failure.stalls, !failure.stalls), "{name}");

    let since = degraded.last_transition_time.0.to_string();
    for (_, later) in &told {
        for type_ in [DEGRADED, READY, STALLED] {
            let (first, later) = (of(status, type_), of(later, type_));
            assert_eq!(later.last_transition_time, first.last_transition_time, "{name}: {type_}");
        }
    }
    let last = &reports.told.last().expect("it was told").1;
    assert_eq!(of(last, DEGRADED).status, "True", "{name}: it fails still");
    assert!(reports.failures > 3, "{name}: tried again {} times", reports.failures);
    assert!(reports.failures <= each * MOST_ATTEMPTS, "{name}: tried {} times in {LONG:?}", reports.failures);
    since
}

fn of<'a>(status: &'a MemcachedStatus, type_: &str) -> &'a Condition {
    condition(&status.conditions, type_).unwrap_or_else(|| panic!("no {type_} in {status:?}"))
}

struct Harness {
    faults: Faults,
    admin: Client,
    clock: Arc<dyn Clock>,
    memcacheds: Api<Memcached>,
}

impl Harness {
    /// With a replica that runs until the end of the test.
    async fn new() -> Self {
        let server = EmbeddedServer::new(Paused::new());
        let admin = server.client("default");
        let params = PostParams::default();
        Api::all(admin.clone()).create(&params, &Memcached::crd()).await.expect("defined");
        let faults = Faults::before(server.service());
        let clock: Arc<dyn Clock> = Arc::new(Paused::new());
        let id = LeaderElectionId::new("memcached-operator").expect("an ID");
        let mut elections =
            ElectionsOptions::new(id, "default", Identity::of_pod("op-0", "1").expect("an identity"));
        elections.clock = clock.clone();
        elections.runtime = LeaseRuntime::Current;
        elections.seed = 1;
        let options = Options::for_crd::<Memcached>(elections).with_seed(1);
        let reconciler = MemcachedReconciler::new("op-0_1").with_clock(clock.clone());
        let replica = operator(Client::new(faults.clone(), "default"), options, reconciler);
        tokio::spawn(replica.run(std::future::pending()));
        Self { faults, clock, memcacheds: Api::namespaced(admin.clone(), "default"), admin }
    }

    /// Each resource meets its failure from now on.
    fn fail(&self) {
        self.faults
            .answer(FAILURES.iter().map(|failure| (failure.name.to_owned(), failure.answer)).collect());
    }

    async fn create(&self, name: &str) {
        let memcached = json!({
            "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "metadata": {"name": name}, "spec": {},
        });
        let memcached = serde_json::from_value(memcached).expect("a Memcached");
        self.memcacheds.create(&PostParams::default(), &memcached).await.expect("created");
    }

    async fn edit(&self, name: &str) {
        let edit = Patch::Merge(json!({"spec": {"replicas": 3}}));
        self.memcacheds.patch(name, &PatchParams::default(), &edit).await.expect("edited");
    }

    /// Writes an event as the StatefulSet controller does, each time that it cannot create a Pod for another reason.
    async fn refuse_pod(&self, name: &str, number: u32, why: &str) {
        let set: StatefulSet =
            Api::namespaced(self.admin.clone(), "default").get(name).await.expect("applied");
        let at = self.clock.wall().to_string();
        let event = json!({
            "metadata": {"name": format!("{name}.{number}")},
            "involvedObject": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "namespace": "default",
                "uid": set.metadata.uid},
            "reason": "FailedCreate", "type": "Warning", "count": 1, "firstTimestamp": at, "lastTimestamp": at,
            "source": {"component": "statefulset-controller"},
            "message": format!("create Pod {name}-0 in StatefulSet {name} failed error: {why}"),
        });
        let event: Event = serde_json::from_value(event).expect("an Event");
        let events = Api::namespaced(self.admin.clone(), "default");
        events.create(&PostParams::default(), &event).await.expect("created");
    }
}
