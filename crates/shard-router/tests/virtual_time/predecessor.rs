//! A fleet is rolled back to a version that does not shard: an operator takes the coordinator Lease, as client-go does, and
//! reconciles everything; later it goes again.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Api, ResourceExt, api::PostParams};
use lease_core::Timings;
use shard_router::{Action, Held, Readiness};

use crate::{
    harness::{Harness, ID, NAMESPACE},
    widget::{Widget, create},
};

const WIDGETS: usize = 16;
pub(crate) const HOLDER: &str = "old-operator_1";
const AGAIN: Duration = Duration::from_millis(100);

/// How the predecessor comes by the Lease.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// It updates the Lease that is there, and keeps what it does not know of.
    KeepingLabels,
    /// Its Lease has none of the labels that this version's watch selects by, like one that it made itself.
    WithoutLabels,
}

/// How long reconciles ran on beside a predecessor; `None` if they never stopped. Panics if they do not go on when it has gone.
pub(crate) async fn overlap_with(takes: Takes) -> Option<Duration> {
    let harness = Harness::new().await;
    for number in 0..WIDGETS {
        create(&harness.widgets, &format!("widget-{number}"), &[]).await;
    }
    let running = Arc::new(AtomicUsize::new(0));
    let counted = running.clone();
    let reconcile = move |widget: Arc<Widget>, _: Held| {
        let count = Count::one_more(&counted);
        let name = widget.name_any();
        let number: u64 = name.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number");
        async move {
            // Until it is aborted, most of the time. They do not end together, or none would run for a moment.
            tokio::time::sleep(Duration::from_secs(20 + number)).await;
            drop(count);
            Ok::<_, Infallible>(Action::requeue(AGAIN))
        }
    };
    let replicas = ["a", "b"].map(|pod| {
        let options = harness.options(pod, 4);
        let app = harness.app(options);
        let readiness = app.1.readiness();
        (Harness::run(app, reconcile.clone()), readiness)
    });
    let all = || async { running.load(Ordering::Relaxed) == WIDGETS };
    harness.until("every widget to be reconciled", all).await;
    // Both hold shards, and nothing is handed over any more.
    harness.clock.sleep(Duration::from_secs(60)).await;

    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let begun = harness.clock.now().monotonic;
    write(&leases, takes, HOLDER, 15, &harness).await;
    let bound = 10 * Timings::standard().retry_period();
    let mut stopped = None;
    while stopped.is_none() && harness.clock.now().monotonic < begun + bound {
        write(&leases, takes, HOLDER, 15, &harness).await;
        harness.clock.sleep(Duration::from_millis(50)).await;
        let none = running.load(Ordering::Relaxed) == 0;
        stopped = none.then(|| harness.clock.now().monotonic.duration_since(begun));
    }
    let stopped = stopped?;
    for (_, readiness) in &replicas {
        let readiness = readiness.get();
        assert!(
            matches!(&readiness, Readiness::NotReady { because } if because.contains(HOLDER)),
            "{readiness:?}"
        );
    }
    for _ in 0..60 {
        write(&leases, takes, HOLDER, 15, &harness).await;
        harness.clock.sleep(Duration::from_secs(1)).await;
        assert_eq!(running.load(Ordering::Relaxed), 0, "nothing runs while the predecessor holds the Lease");
    }

    // It goes, as client-go does: an empty holder.
    write(&leases, takes, "", 1, &harness).await;
    harness.until("every widget to be reconciled again", all).await;
    for (_, readiness) in &replicas {
        assert_eq!(readiness.get(), Readiness::Ready);
    }
    drop(replicas);
    Some(stopped)
}

struct Count(Arc<AtomicUsize>);

impl Count {
    fn one_more(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Reads and updates, and tries again where somebody was faster.
pub(crate) async fn write(leases: &Api<Lease>, takes: Takes, holder: &str, seconds: i32, harness: &Harness) {
    loop {
        let mut lease = leases.get(ID).await.expect("it is there");
        if matches!(takes, Takes::WithoutLabels) {
            lease.metadata.labels = None;
            lease.metadata.annotations = None;
        }
        let before = lease.spec.take().unwrap_or_default();
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(seconds),
            renew_time: Some(MicroTime(harness.clock.wall())),
            lease_transitions: before.lease_transitions,
            ..LeaseSpec::default()
        });
        match leases.replace(ID, &PostParams::default(), &lease).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => panic!("{error}"),
        }
    }
}
