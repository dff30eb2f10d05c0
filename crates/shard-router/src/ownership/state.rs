//! What the holds of one replica are entitled to, beside what the table says.

use std::collections::BTreeMap;

use lease_core::{FencingToken, Term};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, watch};

use super::{
    known::KnownTable,
    rules::{self, Standing},
};
use crate::{
    fencing::{Row, RowKey},
    observability::problem::Problem,
    options::Pod,
    routing::bucket::{Bucket, ShardId},
};

/// What the holds and the writer share.
pub(super) struct Shared {
    pub(super) pod: Pod,
    state: Mutex<State>,
    /// Wakes the writer.
    pub(super) wanted: Notify,
    /// Counts what is news to holds.
    pub(super) news: watch::Sender<u64>,
    /// What keeps buckets from being worked on.
    pub(super) problem: Problem,
}

#[derive(Default)]
pub(super) struct State {
    holds: BTreeMap<u64, Entitled>,
    last_hold: u64,
    pub(super) known: KnownTable,
    pub(super) goes_without: bool,
}

/// What one hold is entitled to.
struct Entitled {
    term: Term,
    shard: Option<ShardId>,
    rows: BTreeMap<RowKey, Wanted>,
}

/// A row that is needed.
struct Wanted {
    token: u64,
    /// Whether it has been in the table.
    was_written: bool,
}

/// What is to be done about the table.
#[derive(Default)]
pub(crate) struct Due {
    /// The rows to write.
    pub(crate) rows: BTreeMap<RowKey, Row>,
    /// How many of them have been written before, and are not there any more.
    pub(crate) lost: usize,
    /// Rows that name somebody else with a token that is not smaller, by hold.
    pub(crate) contested: BTreeMap<u64, Contested>,
}

/// Whose buckets are whose, by the table.
pub(crate) struct Owners {
    /// Those whose rows name this Pod, and to which it is entitled.
    pub(crate) own: Vec<Bucket>,
    /// Those whose rows name another Pod, and to which this one is not entitled.
    pub(crate) others: Vec<Bucket>,
}

/// The contested rows of a hold.
pub(crate) struct Contested {
    pub(crate) term: Term,
    pub(crate) rows: BTreeMap<RowKey, Row>,
}

impl Due {
    /// How many rows are missing.
    pub(crate) fn missing(&self) -> usize {
        self.rows.len() + self.contested()
    }

    /// How many of them name somebody else with a token that is not smaller.
    pub(crate) fn contested(&self) -> usize {
        self.contested.values().map(|contested| contested.rows.len()).sum()
    }
}

impl Shared {
    pub(super) fn new(pod: Pod) -> Self {
        Self {
            pod,
            state: Mutex::default(),
            wanted: Notify::new(),
            news: watch::Sender::new(0),
            problem: Problem::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(super) fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// A hold that is entitled to nothing yet.
    pub(super) fn begin(&self, term: &Term, shard: Option<ShardId>) -> u64 {
        let mut state = self.lock();
        state.last_hold += 1;
        let number = state.last_hold;
        state.holds.insert(number, Entitled { term: term.clone(), shard, rows: BTreeMap::new() });
        number
    }

    pub(super) fn want(&self, hold: u64, rows: impl IntoIterator<Item = RowKey>, token: FencingToken) {
        let mut state = self.lock();
        if let Some(entitled) = state.holds.get_mut(&hold) {
            let wanted = |key| (key, Wanted { token: token.0, was_written: false });
            entitled.rows.extend(rows.into_iter().map(wanted));
        }
        state.note_written(&self.pod);
        drop(state);
        self.wanted.notify_one();
    }

    pub(super) fn void<'a>(&self, hold: u64, rows: impl IntoIterator<Item = &'a RowKey>) {
        if let Some(entitled) = self.lock().holds.get_mut(&hold) {
            for key in rows {
                entitled.rows.remove(key);
            }
        }
        self.wanted.notify_one();
    }

    pub(super) fn end(&self, hold: u64) {
        if !rules::is_entitled(false) {
            self.lock().holds.remove(&hold);
            self.wanted.notify_one();
        }
    }

    /// Whether the bucket of this row may be started.
    pub(super) fn is_ready(&self, hold: u64, key: RowKey) -> bool {
        let state = self.lock();
        let Some(wanted) = state.holds.get(&hold).and_then(|entitled| entitled.rows.get(&key)) else {
            return false;
        };
        rules::may_start(state.standing(&self.pod, key, wanted.token), state.goes_without)
    }
}

impl State {
    /// The Lease of this hold was renewed after these rows were found to be contested, and the version of that write is their token.
    pub(super) fn raise(&mut self, hold: u64, rows: impl IntoIterator<Item = RowKey>, token: FencingToken) {
        let Some(entitled) = self.holds.get_mut(&hold) else { return };
        for key in rows {
            // It may have been given away meanwhile.
            if let Some(wanted) = entitled.rows.get_mut(&key) {
                wanted.token = wanted.token.max(token.0);
            }
        }
    }

    fn standing(&self, pod: &Pod, key: RowKey, token: u64) -> Standing<'_> {
        let row = self.known.table().and_then(|table| table.spec.rows.get(&key.to_string()));
        rules::standing((&pod.name, &pod.uid), token, row)
    }

    /// By key, the hold that needs it. If there are several, all but the one with the largest token are about to end.
    fn wanted(&self) -> BTreeMap<RowKey, (u64, &Entitled, &Wanted)> {
        let mut all: BTreeMap<RowKey, (u64, &Entitled, &Wanted)> = BTreeMap::new();
        for (hold, entitled) in &self.holds {
            if !rules::is_entitled(entitled.term.is_valid()) {
                continue;
            }
            for (key, wanted) in &entitled.rows {
                if all.get(key).is_none_or(|(.., other)| other.token < wanted.token) {
                    all.insert(*key, (*hold, entitled, wanted));
                }
            }
        }
        all
    }

    pub(super) fn due(&self, pod: &Pod) -> Due {
        let mut due = Due::default();
        for (key, (hold, entitled, wanted)) in self.wanted() {
            match self.standing(pod, key, wanted.token) {
                Standing::Written => {}
                Standing::Missing => {
                    due.lost += usize::from(wanted.was_written);
                    let shard = entitled.shard.map(|shard| shard.0);
                    let row = Row { pod: pod.name.clone(), uid: pod.uid.clone(), shard, token: wanted.token };
                    due.rows.insert(key, row);
                }
                Standing::Contested(row) => {
                    let of_hold = || Contested { term: entitled.term.clone(), rows: BTreeMap::new() };
                    due.contested.entry(hold).or_insert_with(of_hold).rows.insert(key, row.clone());
                }
            }
        }
        due
    }

    pub(super) fn owners(&self, pod: &Pod) -> Owners {
        let (wanted, mut owners) = (self.wanted(), Owners { own: Vec::new(), others: Vec::new() });
        for (key, row) in self.known.table().iter().flat_map(|table| &table.spec.rows) {
            let Some(key @ RowKey::Bucket(bucket)) = RowKey::parse(key) else { continue };
            match wanted.get(&key) {
                Some((.., wanted)) if self.standing(pod, key, wanted.token) == Standing::Written => {
                    owners.own.push(bucket);
                }
                None if row.uid != pod.uid => owners.others.push(bucket),
                _ => {}
            }
        }
        owners
    }

    /// Remembers which rows are in the table.
    pub(super) fn note_written(&mut self, pod: &Pod) {
        let Self { holds, known, .. } = self;
        let Some(table) = known.table() else { return };
        for (key, wanted) in holds.values_mut().flat_map(|entitled| &mut entitled.rows) {
            let row = table.spec.rows.get(&key.to_string());
            wanted.was_written |=
                rules::standing((&pod.name, &pod.uid), wanted.token, row) == Standing::Written;
        }
    }
}
