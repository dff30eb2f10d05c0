//! The timeline: holds and reconciles, according to the records, as intervals on one clock.

use std::collections::{BTreeMap, HashMap};

use super::Fault;
use super::clock::{Clock, Interval, Moment};
use crate::records::{Body, CrKey, Outcome, ReconcileId, Record, Replica, Shard, Token, Uid};

/// A continuous holding of a shard by a process.
#[derive(Debug, Clone)]
pub struct Hold {
    /// The holder.
    pub replica: Replica,
    /// The shard.
    pub shard: Shard,
    /// The fencing token.
    pub token: Token,
    /// When the acquisition was written down: the holder acts as such from here.
    pub acquired: Moment,
    /// From the sending of the acquisition (validity counts from there) to the end of validity: the
    /// `hold-end` record or the last known `valid_until`, whichever is first.
    pub valid: Interval,
    /// When validity would have ended without a `hold-end`: the last known `valid_until`.
    pub lapses: Moment,
    /// Whether a `hold-end` was recorded. A killed process leaves none.
    pub ended: bool,
    /// How many restores of etcd had been made when the acquisition was sent. Tokens are compared within one epoch only.
    pub epoch: usize,
}

/// One reconcile.
#[derive(Debug, Clone)]
pub struct Reconcile {
    /// The process that ran it.
    pub replica: Replica,
    /// The CR.
    pub cr: CrKey,
    /// Its uid.
    pub uid: Uid,
    /// The shard that its begin record names.
    pub shard: Shard,
    /// The token that its begin record names.
    pub token: Token,
    /// When it began.
    pub begun: Moment,
    /// How and when it ended by itself.
    pub end: Option<(Moment, Outcome)>,
    /// From its begin to its end, abort or the end of its hold's validity, whichever is first.
    pub ran: Interval,
    /// Index into [`Timeline::holds`]; none when the replica recorded no such hold.
    pub hold: Option<usize>,
    /// Whether its begin was recorded after the end of its hold. If both have the same time, only the order of the records shows that.
    pub after_end: bool,
    /// How many restores of etcd had been made when it began.
    pub epoch: usize,
}

/// The contents of the records, on one clock.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The clock that all moments here are on.
    pub clock: Clock,
    /// In the order of acquisition.
    pub holds: Vec<Hold>,
    /// In the order of beginning.
    pub reconciles: Vec<Reconcile>,
    /// Each process, with the moments of its first and last record.
    pub replicas: BTreeMap<Replica, Interval>,
    /// Records that contradict each other, one sentence each. A run with such records cannot be judged.
    pub data_problems: Vec<String>,
}

impl Timeline {
    /// Puts the records on one clock and in relation to each other.
    pub fn new(records: &[Record]) -> Self {
        Self::across_restores(records, &[])
    }

    /// The same for a run in which etcd was restored from a backup at these moments, in order. At each, resourceVersions, and so tokens, go
    /// back. The moments must come from the test, not from the replicas.
    pub fn across_restores(records: &[Record], restores: &[Moment]) -> Self {
        let clock = Clock::new(records);
        let zero = records.iter().filter_map(|r| clock.moment(r.boot, &r.boot_id)).min();
        let restores = restores.to_vec();
        let mut builder = Builder { clock: clock.with_zero(zero), restores, ..Builder::default() };
        for record in records {
            builder.take(record);
        }
        builder.finish()
    }

    /// The same where these processes are known to have ended by then: they hold nothing and reconcile nothing any more.
    #[must_use]
    pub fn of_ended(mut self, ended: &[Fault]) -> Self {
        let by = |one: &Fault| Some((one.replica.clone(), self.clock.of_stamp(&one.at)?));
        let by: BTreeMap<Replica, Moment> = ended.iter().filter_map(by).collect();
        for hold in &mut self.holds {
            if let Some(end) = by.get(&hold.replica) {
                hold.valid = Interval::new(hold.valid.from, hold.valid.to.min(*end));
                hold.lapses = hold.lapses.min(*end);
            }
        }
        for reconcile in &mut self.reconciles {
            if let Some(end) = by.get(&reconcile.replica) {
                reconcile.ran = Interval::new(reconcile.ran.from, reconcile.ran.to.min(*end));
            }
        }
        self
    }

    /// The moment of the first record.
    pub fn first(&self) -> Option<Moment> {
        self.replicas.values().map(|seen| seen.from).min()
    }

    /// The moment of the last record.
    pub fn last(&self) -> Option<Moment> {
        self.replicas.values().map(|seen| seen.to).max()
    }

    /// The holds of each shard, in the order of acquisition.
    pub fn by_shard(&self) -> BTreeMap<Shard, Vec<&Hold>> {
        let mut shards: BTreeMap<Shard, Vec<&Hold>> = BTreeMap::new();
        for hold in &self.holds {
            shards.entry(hold.shard).or_default().push(hold);
        }
        shards
    }
}

type HoldKey = (Replica, Shard, Token);

#[derive(Default)]
struct Builder {
    clock: Clock,
    /// When etcd was restored, in order.
    restores: Vec<Moment>,
    holds: Vec<Hold>,
    hold_index: HashMap<HoldKey, usize>,
    reconciles: Vec<Reconcile>,
    reconcile_index: HashMap<(Replica, ReconcileId), usize>,
    replicas: BTreeMap<Replica, Interval>,
    data_problems: Vec<String>,
}

impl Builder {
    fn epoch(&self, at: Moment) -> usize {
        self.restores.partition_point(|restore| *restore <= at)
    }

    fn take(&mut self, record: &Record) {
        let on_clock = |boot| {
            self.clock.moment(boot, &record.boot_id).expect("the clock was derived from these very records")
        };
        let at = on_clock(record.boot);
        let replica = &record.replica;
        let seen = self.replicas.entry(replica.clone()).or_insert(Interval { from: at, to: at });
        (seen.from, seen.to) = (seen.from.min(at), seen.to.max(at));
        match &record.body {
            Body::HoldBegin { shard: Some(shard), token, sent, valid_until, .. } => {
                let from = sent.map_or(at, on_clock).min(at);
                let valid = Interval::new(from, valid_until.map_or(at, on_clock));
                self.begin_hold(Hold {
                    replica: replica.clone(),
                    shard: *shard,
                    token: *token,
                    acquired: at,
                    valid,
                    lapses: valid.to,
                    ended: false,
                    epoch: self.epoch(from),
                });
            }
            Body::HoldRenewed { shard: Some(shard), token, valid_until, .. } => {
                let until = on_clock(*valid_until);
                if let Some(hold) = self.hold(replica, *shard, *token, "hold-renewed")
                    && !hold.ended
                {
                    hold.valid.to = hold.valid.to.max(until);
                    hold.lapses = hold.valid.to;
                }
            }
            Body::HoldEnd { shard: Some(shard), token, .. } => {
                if let Some(hold) = self.hold(replica, *shard, *token, "hold-end") {
                    hold.valid = Interval::new(hold.valid.from, hold.valid.to.min(at));
                    hold.ended = true;
                }
            }
            Body::Begin { cr, uid, shard, token, reconcile, .. } => {
                let hold = self.hold_index.get(&(replica.clone(), *shard, *token)).copied();
                let begun = Reconcile {
                    replica: replica.clone(),
                    cr: cr.clone(),
                    uid: uid.clone(),
                    shard: *shard,
                    token: *token,
                    begun: at,
                    end: None,
                    // Open until `finish` knows how the hold went on.
                    ran: Interval { from: at, to: Moment(i64::MAX) },
                    hold,
                    after_end: hold.is_some_and(|index| self.holds[index].ended),
                    epoch: self.epoch(at),
                };
                let index = self.reconciles.len();
                self.reconciles.push(begun);
                if self.reconcile_index.insert((replica.clone(), *reconcile), index).is_some() {
                    self.data_problems
                        .push(format!("{replica} used the reconcile number {reconcile} twice."));
                }
            }
            Body::End { cr, reconcile, outcome } => {
                self.end_reconcile(replica, cr, *reconcile, at, Some(*outcome));
            }
            Body::Aborted { cr, reconcile } => self.end_reconcile(replica, cr, *reconcile, at, None),
            Body::HoldBegin { .. }
            | Body::HoldRenewed { .. }
            | Body::HoldEnd { .. }
            | Body::StartReady { .. }
            | Body::ReplicaStart { .. }
            | Body::ReplicaEnd { .. } => {}
        }
    }

    fn begin_hold(&mut self, hold: Hold) {
        let key = (hold.replica.clone(), hold.shard, hold.token);
        let index = self.holds.len();
        let before = self.hold_index.insert(key, index);
        // After a restore the same token may be given once more.
        if before.is_some_and(|before| self.holds[before].epoch == hold.epoch) {
            self.data_problems.push(format!(
                "{} recorded two holds of {} with token {}.",
                hold.replica,
                hold.shard.described(),
                hold.token
            ));
        }
        self.holds.push(hold);
    }

    fn hold(&mut self, replica: &Replica, shard: Shard, token: Token, what: &str) -> Option<&mut Hold> {
        let index = self.hold_index.get(&(replica.clone(), shard, token)).copied();
        if index.is_none() {
            self.data_problems.push(format!(
                "{replica} recorded a {what} of {} with token {token} without a hold-begin before it.",
                shard.described()
            ));
        }
        self.holds.get_mut(index?)
    }

    fn end_reconcile(
        &mut self,
        replica: &Replica,
        cr: &CrKey,
        id: ReconcileId,
        at: Moment,
        outcome: Option<Outcome>,
    ) {
        let Some(index) = self.reconcile_index.get(&(replica.clone(), id)) else {
            self.data_problems
                .push(format!("{replica} recorded an end of reconcile {id} of {cr} without a begin."));
            return;
        };
        let reconcile = &mut self.reconciles[*index];
        reconcile.end = outcome.map(|outcome| (at, outcome));
        reconcile.ran.to = reconcile.ran.to.min(at);
    }

    fn finish(mut self) -> Timeline {
        for reconcile in &mut self.reconciles {
            let key = (reconcile.replica.clone(), reconcile.shard, reconcile.token);
            reconcile.hold = reconcile.hold.or_else(|| self.hold_index.get(&key).copied());
            let limit = match reconcile.hold {
                Some(index) => self.holds[index].valid.to,
                // Without a hold nothing else bounds it; that there is none is reported by a check of its
                // own.
                None => self.replicas[&reconcile.replica].to,
            };
            reconcile.ran = Interval::new(reconcile.begun, reconcile.ran.to.min(limit));
        }
        // Indices of holds were taken in reading order; sorting the holds moves them.
        let mut order: Vec<usize> = (0..self.holds.len()).collect();
        order.sort_by_key(|index| (self.holds[*index].acquired, self.holds[*index].token));
        let mut moved = vec![0; order.len()];
        for (new, old) in order.iter().enumerate() {
            moved[*old] = new;
        }
        for reconcile in &mut self.reconciles {
            reconcile.hold = reconcile.hold.map(|old| moved[old]);
        }
        self.reconciles.sort_by_key(|reconcile| reconcile.begun);
        let holds = order.into_iter().map(|old| self.holds[old].clone()).collect();
        Timeline {
            clock: self.clock,
            holds,
            reconciles: self.reconciles,
            replicas: self.replicas,
            data_problems: self.data_problems,
        }
    }
}
