//! Who may reconcile next.
//!
//! A replica reconciles so many resources at once, and each *lane* of it, one kind in one shard, so many of them. Whoever waits is of one of two
//! classes. What has changed goes first: somebody waits for it. What is due only because of a list (a takeover, a watch that was restarted), a resync or a
//! requeue goes behind it, because there may be thousands of them. A resource that changes while it waits in the second class is moved to the
//! first. An object in a list counts as changed if it shows that nobody has observed its generation.
//!
//! Neither class starves: after [`IN_A_ROW`] turns for changes, one of the second class gets its turn, in each lane and in the replica as a whole. Within a
//! class, a lane serves in the order of arrival, and lanes take turns, so that a shard with many resources does not delay others.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// So many turns for changes, and then one for others that wait.
const IN_A_ROW: u32 = 4;

/// The turns of one replica.
pub(crate) struct Turns {
    at_once: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    lanes: BTreeMap<u64, LaneState>,
    /// Numbers lanes, waiters and grants.
    last_number: u64,
    /// Turns for changes since the last other one, while others waited.
    in_a_row: u32,
}

struct LaneState {
    free: usize,
    changed: BTreeMap<u64, Waiter>,
    others: BTreeMap<u64, Waiter>,
    /// The number of the waiter of each resource.
    numbers: BTreeMap<String, u64>,
    /// What has changed and does not wait yet.
    marked: BTreeSet<String>,
    in_a_row: u32,
    /// The number of the last grant.
    last_grant: u64,
}

struct Waiter {
    resource: String,
    sender: oneshot::Sender<Turn>,
}

/// One kind in one shard. Its waiters get no turn any more when it is dropped.
pub(crate) struct Lane {
    turns: Arc<Turns>,
    id: u64,
}

/// The permission to run one reconcile, returned when dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    lane: u64,
    /// Whether the resource had changed.
    pub(crate) is_for_change: bool,
}

impl Turns {
    pub(crate) fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self { at_once: at_once.max(1), state: Mutex::default() })
    }

    /// A new lane in which at most so many reconciles run at once.
    pub(crate) fn lane(self: &Arc<Self>, at_once: usize) -> Arc<Lane> {
        let mut state = self.state.lock();
        let id = state.number();
        state.lanes.insert(id, LaneState::new(at_once.max(1)));
        drop(state);
        Arc::new(Lane { turns: self.clone(), id })
    }

    /// Gives turns to whoever may run now.
    fn grant(self: &Arc<Self>) {
        loop {
            let granted = self.state.lock().next(self.at_once);
            let Some((lane, waiter, is_for_change)) = granted else { return };
            // If it does not wait any more, the turn comes back, and is given to the next.
            drop(waiter.sender.send(Turn { turns: self.clone(), lane, is_for_change }));
        }
    }
}

impl Lane {
    /// The resource has changed: its next turn, or the one that it waits for, comes before those of others.
    pub(crate) fn changed(&self, resource: &str) {
        self.with(|lane| lane.raise(resource));
    }

    /// The resource is not in the cache any more.
    pub(crate) fn forget(&self, resource: &str) {
        self.with(|lane| {
            lane.marked.remove(resource);
        });
    }

    /// Waits for a turn of this resource.
    pub(crate) async fn turn(&self, resource: &str) -> Option<Turn> {
        let (sender, receiver) = oneshot::channel();
        let number = {
            let mut state = self.turns.state.lock();
            let number = state.number();
            let waiter = Waiter { resource: resource.to_owned(), sender };
            state.lanes.get_mut(&self.id)?.wait(number, waiter);
            number
        };
        let _waiting = Waiting { lane: self, number };
        self.turns.grant();
        receiver.await.ok()
    }

    fn with(&self, act: impl FnOnce(&mut LaneState)) {
        if let Some(lane) = self.turns.state.lock().lanes.get_mut(&self.id) {
            act(lane);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let gone = self.turns.state.lock().lanes.remove(&self.id);
        // Outside of the lock: waiters are notified.
        drop(gone);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.turns.state.lock();
            state.running -= 1;
            if let Some(lane) = state.lanes.get_mut(&self.lane) {
                lane.free += 1;
            }
        }
        self.turns.grant();
    }
}

/// A waiter, until it has its turn or gives up.
struct Waiting<'a> {
    lane: &'a Lane,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.lane.with(|lane| lane.give_up(self.number));
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The next waiter, whose turn is counted as running. Also returns whether it waits because of a change.
    fn next(&mut self, at_once: usize) -> Option<(u64, Waiter, bool)> {
        if self.running >= at_once {
            return None;
        }
        let open = || self.lanes.iter().filter(|(_, lane)| lane.free > 0);
        let others_wait = open().any(|(_, lane)| !lane.others.is_empty());
        let forced = others_wait && self.in_a_row >= IN_A_ROW;
        let offers = open().filter_map(|(id, lane)| {
            let others_only = || (!lane.others.is_empty()).then_some(false);
            let is_for_change = if forced { others_only() } else { lane.offer() }?;
            // A lane whose others are due now stands for the change that it would offer.
            let is_first = is_for_change || !lane.changed.is_empty();
            Some((!is_first, lane.last_grant, *id, is_for_change))
        });
        let (_, _, id, is_for_change) = offers.min()?;
        self.in_a_row = if is_for_change && others_wait { self.in_a_row + 1 } else { 0 };
        let grant = self.number();
        self.running += 1;
        let lane = self.lanes.get_mut(&id)?;
        Some((id, lane.take(is_for_change, grant)?, is_for_change))
    }
}

impl LaneState {
    fn new(free: usize) -> Self {
        Self {
            free,
            changed: BTreeMap::new(),
            others: BTreeMap::new(),
            numbers: BTreeMap::new(),
            marked: BTreeSet::new(),
            in_a_row: 0,
            last_grant: 0,
        }
    }

    fn wait(&mut self, number: u64, waiter: Waiter) {
        self.numbers.insert(waiter.resource.clone(), number);
        let class = if self.marked.remove(&waiter.resource) { &mut self.changed } else { &mut self.others };
        class.insert(number, waiter);
    }

    fn raise(&mut self, resource: &str) {
        match self.numbers.get(resource) {
            Some(number) => {
                if let Some(waiter) = self.others.remove(number) {
                    self.changed.insert(*number, waiter);
                }
            }
            None => {
                self.marked.insert(resource.to_owned());
            }
        }
    }

    fn give_up(&mut self, number: u64) {
        if let Some(waiter) = self.changed.remove(&number).or_else(|| self.others.remove(&number)) {
            self.numbers.remove(&waiter.resource);
        }
    }

    /// Whether the next turn is for a change; `None` if nobody waits.
    fn offer(&self) -> Option<bool> {
        match (self.changed.is_empty(), self.others.is_empty()) {
            (true, true) => None,
            (true, false) => Some(false),
            (false, true) => Some(true),
            (false, false) => Some(self.in_a_row < IN_A_ROW),
        }
    }

    fn take(&mut self, is_for_change: bool, grant: u64) -> Option<Waiter> {
        let class = if is_for_change { &mut self.changed } else { &mut self.others };
        let (_, waiter) = class.pop_first()?;
        self.numbers.remove(&waiter.resource);
        self.in_a_row = if is_for_change && !self.others.is_empty() { self.in_a_row + 1 } else { 0 };
        self.free -= 1;
        self.last_grant = grant;
        Some(waiter)
    }
}

#[cfg(test)]
mod tests;
