//! The watch on all Leases of an operator: what it has shown, and its listeners.

mod liveness;
mod problem;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use kube::runtime::watcher::Event;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, mpsc, watch};

use super::lease_view::{LeaseView, Shown, ShownLease, is_renewal};
use crate::name::LeaseName;
use crate::revision::Uid;
use crate::time::Monotonic;

use liveness::Expected;

/// An update about a candidate's Lease.
#[derive(Clone, Debug)]
pub(super) enum WatchUpdate {
    /// The watch has shown this state, in the history with this number.
    Lease(u64, Arc<Lease>),
    /// The watch no longer shows this object, in the history with this number.
    Gone(u64, Uid),
    WatchHealthy(bool),
    /// History was rewound. All further updates belong to the history with this number.
    Rewound(u64),
}

/// The watch and its listeners.
#[derive(Debug)]
pub(super) struct LeaseWatch {
    leases: Arc<Shown>,
    /// See [`LeaseWatch::read`].
    unlabelled: Arc<Shown>,
    changes: watch::Sender<u64>,
    listeners: Mutex<BTreeMap<LeaseName, Vec<mpsc::UnboundedSender<WatchUpdate>>>>,
    expected: Mutex<Option<Expected>>,
    healthy: watch::Sender<bool>,
    /// How often history was rewound. It is changed while the listeners are locked, so that updates of an earlier history can be distinguished
    /// from later ones.
    rewinds: watch::Sender<u64>,
    restart: Notify,
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

    /// Subscribes to updates of a Lease. The first one is its known state.
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
        // Before the first list is complete, only that list decides when the Leases are known.
        self.changes.send_if_modified(|changes| {
            *changes += u64::from(*changes > 0);
            *changes > 0
        });
    }

    /// How often history was rewound.
    pub(super) fn rewinds(&self) -> u64 {
        *self.rewinds.borrow()
    }

    /// The same, as a receiver of changes.
    pub(super) fn watch_rewinds(&self) -> watch::Receiver<u64> {
        self.rewinds.subscribe()
    }

    /// A candidate has proved that the history with this number was rewound. Everything that was shown is forgotten, the watch is
    /// restarted, and all listeners are notified. This happens once, no matter how many candidates prove it. Returns whether this was the first proof.
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
            // Those who wait for the first list need not be notified.
            let listed = *changes > 0;
            *changes += u64::from(listed);
            listed
        });
        self.restart.notify_one();
        true
    }

    /// Processes an event of a watch in the history with this number. `false` if history has been rewound since.
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

    fn lock_listeners(&self) -> Listeners<'_> {
        self.listeners.lock()
    }
}

type Listeners<'a> = MutexGuard<'a, BTreeMap<LeaseName, Vec<mpsc::UnboundedSender<WatchUpdate>>>>;

/// Notifies all listeners. Called under the same lock as [`LeaseWatch::listen`], so that no listener misses a change.
fn tell(mut listeners: Listeners<'_>, name: &LeaseName, update: &WatchUpdate) {
    if let Some(senders) = listeners.get_mut(name) {
        senders.retain(|sender| sender.send(update.clone()).is_ok());
    }
}

fn name(lease: &Lease) -> LeaseName {
    LeaseName::from_server(lease.metadata.name.clone().unwrap_or_default())
}
