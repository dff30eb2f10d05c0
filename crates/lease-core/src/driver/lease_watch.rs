//! One watch on all Leases of an operator, and a check that it is alive.

mod problem;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::{self, Event};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, mpsc, watch};

use super::clock::Clock;
use super::health::Journal;
use super::lease_api::LeaseApi;
use super::lease_view::{LeaseView, Shown, ShownLease, is_renewal};
use crate::backoff::Backoff;
use crate::name::LeaseName;
use crate::revision::{ResourceVersion, Uid};
use crate::time::Monotonic;
use crate::timings::Timings;

/// What a candidate learns about its Lease.
#[derive(Clone, Debug)]
pub(super) enum WatchUpdate {
    /// What the watch showed, by the history of this number.
    Lease(u64, Arc<Lease>),
    /// What the watch lost sight of, by the history of this number.
    Gone(u64, Uid),
    WatchHealthy(bool),
    /// History was rewound: from here on everything is of the one of this number.
    Rewound(u64),
}

/// The watch, and those who listen.
#[derive(Debug)]
pub(super) struct LeaseWatch {
    leases: Arc<Shown>,
    /// See [`LeaseWatch::read`].
    unlabelled: Arc<Shown>,
    changes: watch::Sender<u64>,
    listeners: Mutex<BTreeMap<LeaseName, Vec<mpsc::UnboundedSender<WatchUpdate>>>>,
    expected: Mutex<Option<Expected>>,
    healthy: watch::Sender<bool>,
    /// How often history was rewound. Changed with the listeners locked, so that what a watch still brings of an earlier history is
    /// told from what comes after.
    rewinds: watch::Sender<u64>,
    restart: Notify,
}

/// A state of a Lease that the watch has to show soon, or it hangs.
#[derive(Debug)]
struct Expected {
    name: LeaseName,
    version: ResourceVersion,
    by: Monotonic,
}

impl LeaseWatch {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            leases: Arc::default(),
            unlabelled: Arc::default(),
            changes: watch::Sender::new(0),
            listeners: Mutex::default(),
            expected: Mutex::default(),
            healthy: watch::Sender::new(true),
            rewinds: watch::Sender::new(0),
            restart: Notify::new(),
        })
    }

    pub(super) fn view(&self) -> LeaseView {
        LeaseView {
            leases: Arc::clone(&self.leases),
            unlabelled: Arc::clone(&self.unlabelled),
            changes: self.changes.subscribe(),
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        *self.healthy.borrow()
    }

    /// Updates of one Lease, beginning with what is known of it.
    pub(super) fn listen(&self, name: &LeaseName) -> mpsc::UnboundedReceiver<WatchUpdate> {
        let (tell, updates) = mpsc::unbounded_channel();
        let mut listeners = self.lock_listeners();
        if let Some(lease) = self.leases.read().get(name) {
            let _ = tell.send(WatchUpdate::Lease(self.rewinds(), Arc::clone(&lease.lease)));
        }
        listeners.entry(name.clone()).or_default().push(tell);
        updates
    }

    /// A candidate has read its Lease by name. One without the election label is invisible to the watch: somebody else made it,
    /// or took the label off. `None` if there is none like that.
    pub(super) fn read(&self, name: &LeaseName, unlabelled: Option<&Arc<Lease>>, now: Monotonic) {
        let mut known = self.unlabelled.write();
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let before = known.get(name);
        if before.map(|lease| version(lease)) == unlabelled.map(|lease| version(lease)) {
            return;
        }
        let changes_nothing = before.zip(unlabelled).is_some_and(|(before, lease)| is_renewal(before, lease));
        match unlabelled {
            Some(lease) => known.insert(name.clone(), ShownLease { lease: Arc::clone(lease), shown_at: now }),
            None => known.remove(name),
        };
        drop(known);
        if changes_nothing {
            return;
        }
        // Before the first list is complete, it alone says when the Leases are known.
        self.changes.send_if_modified(|changes| {
            *changes += u64::from(*changes > 0);
            *changes > 0
        });
    }

    /// How often history was rewound.
    pub(super) fn rewinds(&self) -> u64 {
        *self.rewinds.borrow()
    }

    /// The same, to be told.
    pub(super) fn watch_rewinds(&self) -> watch::Receiver<u64> {
        self.rewinds.subscribe()
    }

    /// A candidate has proved that the history of this number is gone. Everything that was shown is forgotten, the watch begins
    /// anew, and everyone is told; once, however many prove it. Returns whether this was the first proof.
    pub(super) fn rewound(&self, known: u64) -> bool {
        let listeners = self.lock_listeners();
        if self.rewinds() != known {
            return false;
        }
        let number = known + 1;
        self.rewinds.send_replace(number);
        self.leases.write().clear();
        self.unlabelled.write().clear();
        *self.expected.lock() = None;
        for sender in listeners.values().flatten() {
            let _ = sender.send(WatchUpdate::Rewound(number));
        }
        drop(listeners);
        self.changes.send_if_modified(|changes| {
            // Nobody has to hear of it who waits for the first list.
            let listed = *changes > 0;
            *changes += u64::from(listed);
            listed
        });
        self.restart.notify_one();
        true
    }

    /// A write of ours has landed, or a read has shown this state: the watch has to show it by then.
    pub(super) fn expect(&self, name: &LeaseName, version: ResourceVersion, by: Monotonic) {
        let mut expected = self.expected.lock();
        if expected.is_none() {
            *expected = Some(Expected { name: name.clone(), version, by });
        }
    }

    /// Watches until the process' elections end.
    pub(super) async fn run(
        self: Arc<Self>,
        api: LeaseApi,
        selector: String,
        timings: Timings,
        clock: Arc<dyn Clock>,
        journal: Arc<Journal>,
    ) {
        let mut backoff = Backoff::new(timings);
        loop {
            let config = watcher::Config::default().labels(&selector);
            let mut stream = watcher::watcher(api.kube().clone(), config).boxed();
            let mut listed = BTreeSet::new();
            let history = self.rewinds();
            // A list that is never answered shows nothing, and before the first one nothing else is expected of the watch.
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
                            if !self.take(history, event, &mut listed, clock.now().monotonic) {
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
                            // A watch that is known to fail is not looked at for hanging as well: it would be begun anew for that,
                            // beside the pauses.
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
                        "the list of the Leases was not answered within LeaseDuration; it is asked for anew"
                    );
                    self.set_healthy(false);
                    break;
                }
                self.check_expected(now, timings.retry_period());
            }
        }
    }

    /// Marks the watch as hanging when it has not shown what it had to, and begins another.
    fn check_expected(&self, now: Monotonic, period: Duration) {
        let mut expected = self.expected.lock();
        let Some(waiting) = expected.as_mut() else { return };
        let leases = self.leases.read();
        let shown = leases.get(&waiting.name).and_then(|lease| version(lease));
        drop(leases);
        if shown.is_some_and(|shown| shown >= waiting.version) {
            *expected = None;
            drop(expected);
            self.set_healthy(true);
        } else if waiting.by <= now {
            waiting.by = now + period;
            drop(expected);
            if self.is_healthy() {
                tracing::warn!(
                    "the watch on Leases does not show what this replica wrote or read: polling until it does"
                );
            }
            self.set_healthy(false);
            self.restart.notify_one();
        }
    }

    /// The Lease is gone from the watch's sight, so that no later state of it will be shown. To know that, the watch has
    /// to be live.
    fn expect_no_more(&self, is_gone: impl FnOnce(&LeaseName) -> bool) {
        let mut expected = self.expected.lock();
        if expected.take_if(|waiting| is_gone(&waiting.name)).is_some() {
            drop(expected);
            self.set_healthy(true);
        }
    }

    /// Takes what a watch of the history of this number shows. `false` if that history is gone.
    fn take(
        &self,
        history: u64,
        event: Event<Lease>,
        listed: &mut BTreeSet<LeaseName>,
        now: Monotonic,
    ) -> bool {
        if self.rewinds() != history {
            return false;
        }
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(lease) => {
                listed.insert(name(&lease));
                self.show(lease, now);
            }
            Event::InitDone => {
                let leases = self.leases.read();
                let gone: Vec<_> = leases
                    .iter()
                    .filter(|(name, _)| !listed.contains(*name))
                    .map(|(_, lease)| Arc::clone(&lease.lease))
                    .collect();
                drop(leases);
                for lease in gone {
                    self.hide(&lease);
                }
                self.expect_no_more(|name| !listed.contains(name));
                self.changes.send_modify(|changes| *changes += 1);
            }
            Event::Apply(lease) => {
                if !self.show(lease, now) {
                    self.changes.send_modify(|changes| *changes += 1);
                }
            }
            Event::Delete(lease) => {
                self.hide(&lease);
                self.changes.send_modify(|changes| *changes += 1);
            }
        }
        true
    }

    /// Returns whether that is a renewal that changes nothing else.
    fn show(&self, lease: Lease, now: Monotonic) -> bool {
        let name = name(&lease);
        let lease = Arc::new(lease);
        let listeners = self.lock_listeners();
        let shown = ShownLease { lease: Arc::clone(&lease), shown_at: now };
        let before = self.leases.write().insert(name.clone(), shown);
        let changes_nothing = before.is_some_and(|before| is_renewal(&before, &lease));
        tell(listeners, &name, &WatchUpdate::Lease(self.rewinds(), lease));
        changes_nothing
    }

    fn hide(&self, lease: &Lease) {
        let name = name(lease);
        let listeners = self.lock_listeners();
        self.leases.write().remove(&name);
        let uid = Uid(lease.metadata.uid.clone().unwrap_or_default());
        tell(listeners, &name, &WatchUpdate::Gone(self.rewinds(), uid));
        self.expect_no_more(|expected| *expected == name);
    }

    fn set_healthy(&self, healthy: bool) {
        if self.healthy.send_replace(healthy) == healthy {
            return;
        }
        for senders in self.lock_listeners().values() {
            for sender in senders {
                let _ = sender.send(WatchUpdate::WatchHealthy(healthy));
            }
        }
    }

    fn lock_listeners(&self) -> Listeners<'_> {
        self.listeners.lock()
    }
}

type Listeners<'a> = MutexGuard<'a, BTreeMap<LeaseName, Vec<mpsc::UnboundedSender<WatchUpdate>>>>;

/// Tells everyone who still listens. Held under the same lock as [`LeaseWatch::listen`], so that nobody misses a change.
fn tell(mut listeners: Listeners<'_>, name: &LeaseName, update: &WatchUpdate) {
    if let Some(senders) = listeners.get_mut(name) {
        senders.retain(|sender| sender.send(update.clone()).is_ok());
    }
}

fn name(lease: &Lease) -> LeaseName {
    LeaseName::from_server(lease.metadata.name.clone().unwrap_or_default())
}

fn version(lease: &Lease) -> Option<ResourceVersion> {
    lease.metadata.resource_version.as_deref()?.parse().ok()
}
