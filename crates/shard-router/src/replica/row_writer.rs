//! The task that writes the rows of the ownership table to which the holds of this replica are entitled.
//!
//! It compares what holds need with what the table says, whenever either has changed, and writes what is missing in one merge patch that depends on the version of the table. So a table that
//! somebody deletes or edits is repaired by those who hold the Leases.

mod contested;
mod outage;
mod requests;
mod telling;

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{
    StreamExt,
    future::{BoxFuture, pending},
    stream::FuturesUnordered,
};
use kube::{
    Api,
    runtime::watcher::{self, Event},
};
use lease_core::{Elections, Monotonic};

use self::{
    contested::{Raised, Raises},
    outage::Outage,
    requests::{Done, Failure, Table},
    telling::Problems,
};
use crate::{
    fencing::{Fencing, OwnershipTable},
    options::Backoff,
    ownership::{Due, WriterSide},
    setup::Setup,
    watch::watcher::at_once,
};

/// The pauses after attempts that failed.
const AFTER_FAILURE: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// The pauses after attempts that met a write of another replica.
const AFTER_CONFLICT: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

/// Runs for as long as the replica does.
pub(super) async fn run(setup: Arc<Setup>, elections: Elections) {
    let (Some(fencing), Some(rows)) = (setup.options.fencing, setup.ownership.writer()) else {
        return;
    };
    let mut rewinds = elections.rewinds();
    loop {
        let mut writer = RowWriter::new(&setup, fencing, rows.clone());
        tokio::select! {
            () = writer.run() => {}
            changed = rewinds.changed() => match changed {
                // The versions that the watch and the writes continue from mean other states.
                Ok(()) => rows.forget(),
                Err(_) => return,
            },
        }
    }
}

/// Something that is under way beside the writes.
enum Beside {
    Raised(Raised),
    Told,
}

struct RowWriter<'a> {
    setup: &'a Setup,
    fencing: Fencing,
    rows: WriterSide,
    table: Table,
    raises: Raises,
    outage: Outage,
    beside: FuturesUnordered<BoxFuture<'static, Beside>>,
    problems: Problems,
    failures: u32,
    conflicts: u32,
    /// No attempt before.
    not_before: Monotonic,
}

impl<'a> RowWriter<'a> {
    fn new(setup: &'a Setup, fencing: Fencing, rows: WriterSide) -> Self {
        let elections = &setup.options.elections;
        let client = setup.stamper_clients.unobserved();
        let api: Api<OwnershipTable> = Api::namespaced(client, &elections.namespace);
        Self {
            setup,
            fencing,
            table: Table { api, name: elections.id.to_string(), rows: rows.clone() },
            rows,
            raises: Raises::default(),
            outage: Outage::default(),
            beside: FuturesUnordered::new(),
            problems: Problems::default(),
            failures: 0,
            conflicts: 0,
            not_before: Monotonic::ORIGIN,
        }
    }

    /// Never ends by itself.
    async fn run(&mut self) {
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.table.name));
        let api = self.table.api.clone();
        let mut watch = pin!(self.setup.watcher().watch(api, config, self.setup.watch_backoff(), at_once));
        let (rows, clock) = (self.rows.clone(), self.setup.clock.clone());
        let mut listed = false;
        loop {
            let wait = self.step().await;
            let waiting = async {
                match wait {
                    Some(wait) => clock.sleep(wait).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                event = watch.next() => match event {
                    Some(Ok(event)) => take(&rows, event, &mut listed),
                    // It has been logged, and the watch goes on.
                    Some(Err(_)) => {}
                    None => return pending().await,
                },
                Some(done) = self.beside.next() => match done {
                    Beside::Raised(raised) => self.raised(raised),
                    Beside::Told => {}
                },
                () = rows.wanted() => {}
                () = waiting => {}
            }
        }
    }

    /// Does what is due now. Returns how long until something is due by itself.
    async fn step(&mut self) -> Option<Duration> {
        let now = self.now();
        let due = self.rows.due();
        self.setup.metrics.fencing_rows(due.missing(), due.contested());
        let next_raise = self.raise_contested(&due, now);
        if due.rows.is_empty() {
            self.works();
            return next_raise.map(|at| at.duration_since(now));
        }
        self.outage.begins(now);
        if self.not_before <= now {
            return Some(self.attempt(&due).await);
        }
        let over = self.outage.is_over_at(self.fencing.wait).filter(|at| *at > now);
        self.goes_without_if_due();
        let wakes = [Some(self.not_before), over, next_raise].into_iter().flatten().min();
        wakes.map(|at| at.duration_since(now))
    }

    /// One request, or two. Returns the pause after it.
    async fn attempt(&mut self, due: &Due) -> Duration {
        // A bucket that waits must not wait for an answer that does not come.
        let limit = self.fencing.wait / 2;
        let done = tokio::select! {
            done = self.table.next(due) => done,
            () = self.setup.clock.sleep(limit) => Err(Failure::Unanswered(limit)),
        };
        let now = self.now();
        let pause = match done {
            // A read proves nothing: the right to write may be missing.
            Ok(Done::Read) => return Duration::ZERO,
            Ok(Done::Written { restored }) => {
                self.works();
                if restored > 0 {
                    self.tell_restored(restored);
                }
                return Duration::ZERO;
            }
            Err(Failure::Conflict) => {
                self.conflicts += 1;
                AFTER_CONFLICT.delay(self.conflicts, self.setup.rng.roll())
            }
            Err(failure) => {
                self.failures += 1;
                self.fails(&failure.to_string(), now);
                AFTER_FAILURE.delay(self.failures, self.setup.rng.roll())
            }
        };
        self.rows.doubt();
        self.not_before = now + pause;
        self.goes_without_if_due();
        pause
    }

    fn now(&self) -> Monotonic {
        self.setup.clock.now().monotonic
    }
}

/// Takes in what the watch shows.
fn take(rows: &WriterSide, event: Event<OwnershipTable>, listed: &mut bool) {
    match event {
        Event::Init => *listed = false,
        Event::InitApply(table) => {
            *listed = true;
            rows.shown(table);
        }
        Event::Apply(table) => rows.shown(table),
        Event::Delete(last) => rows.deleted(&last),
        // The list may be older than what is known.
        Event::InitDone if !*listed => rows.doubt(),
        Event::InitDone => {}
    }
}
