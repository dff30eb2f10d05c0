//! The watch loop: successive lists and watches, and the backoff after a failure.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::{Event, watcher};

use super::{LeaseWatch, problem};
use crate::backoff::Backoff;
use crate::driver::clock::Clock;
use crate::driver::health::Journal;
use crate::driver::lease_api::LeaseApi;
use crate::driver::wire::{LockObject, Selector};
use crate::timings::Timings;

impl LeaseWatch {
    /// Watches until the elections of the process end.
    pub(in crate::driver) async fn run(
        self: Arc<Self>,
        api: LeaseApi,
        selector: Selector,
        timings: Timings,
        clock: Arc<dyn Clock>,
        journal: Arc<Journal>,
    ) {
        let mut backoff = Backoff::new(timings);
        loop {
            let mut stream = watcher(api.kube().clone(), selector.watch()).boxed();
            let mut listed = BTreeSet::new();
            let history = self.rewinds();
            // Before the first list is complete, the watch is not expected to show anything else, so a list that is never answered needs its own limit.
            let mut list_due = Some(clock.now().monotonic + timings.lease_duration());
            loop {
                let check = clock.sleep(timings.hurried_retry());
                tokio::select! {
                    event = stream.next() => match event {
                        Some(Ok(event)) => {
                            problem::is_over(&event, &api, &journal, clock.now().monotonic);
                            match event {
                                Event::Init => list_due = Some(clock.now().monotonic + timings.lease_duration()),
                                Event::InitDone => list_due = None,
                                Event::InitApply(_) | Event::Apply(_) | Event::Delete(_) => {}
                            }
                            if !self.take(history, decoded(event, &api), &mut listed, clock.now().monotonic) {
                                break;
                            }
                        }
                        Some(Err(error)) => {
                            tracing::debug!("watching the Leases: {error}");
                            self.set_healthy(false);
                            let now = clock.now().monotonic;
                            problem::of(error, &api, &journal, now);
                            clock.sleep(backoff.after_failure(now)).await;
                            list_due = list_due.map(|_| clock.now().monotonic + timings.lease_duration());
                            // A watch that is known to fail is not checked for hanging as well. That would restart it
                            // without regard to the backoff.
                            continue;
                        }
                        None => break,
                    },
                    () = check => {}
                    () = self.restart.notified() => break,
                }
                let now = clock.now().monotonic;
                if list_due.is_some_and(|due| due <= now) {
                    tracing::warn!(
                        "the list of the Leases was not answered within LeaseDuration; it is requested again"
                    );
                    self.set_healthy(false);
                    break;
                }
                self.check_expected(now, timings.retry_period());
            }
        }
    }
}

fn decoded(event: Event<LockObject>, api: &LeaseApi) -> Event<Lease> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(api.decode(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(api.decode(object)),
        Event::Delete(object) => Event::Delete(api.decode(object)),
    }
}
