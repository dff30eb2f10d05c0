//! Rows that name somebody else with a token that is not smaller, although this replica holds the Lease: somebody has edited them, or this replica has lost the Lease and does not know it
//! yet. A renewal tells: if it succeeds, its version is a larger token than any that a replica can have got before.

use std::{collections::BTreeMap, time::Duration};

use futures::FutureExt;
use lease_core::{AnnotateError, AnnotationChanges, Monotonic, Revision};

use super::{Beside, RowWriter};
use crate::{
    fencing::{Row, RowKey},
    options::Backoff,
    ownership::{Contested, Due},
};

/// The pauses between two such renewals of a Lease. Whoever edits rows again and again is not followed at the same pace.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(5));
/// After so long without any, they begin anew.
const FORGOTTEN: Duration = Duration::from_mins(10);

/// The result of a renewal.
pub(super) struct Raised {
    hold: u64,
    rows: Vec<RowKey>,
    result: Result<Revision, AnnotateError>,
}

/// The renewals for contested rows, by hold.
#[derive(Default)]
pub(super) struct Raises(BTreeMap<u64, Raise>);

struct Raise {
    times: u32,
    /// What it was for: the rows, with the tokens that they had.
    rows: BTreeMap<RowKey, u64>,
    last: Monotonic,
    next: Monotonic,
    is_under_way: bool,
}

impl RowWriter<'_> {
    /// Renews the Leases of contested rows, unless it is too early. Returns when the next renewal is due.
    pub(super) fn raise_contested(&mut self, due: &Due, now: Monotonic) -> Option<Monotonic> {
        self.raises.0.retain(|hold, raise| {
            due.contested.contains_key(hold) || now.duration_since(raise.last) < FORGOTTEN
        });
        for (hold, contested) in &due.contested {
            let raise = self.raises.0.entry(*hold).or_insert(Raise {
                times: 0,
                rows: BTreeMap::new(),
                last: now,
                next: now,
                is_under_way: false,
            });
            if raise.is_under_way || now < raise.next {
                continue;
            }
            raise.times += 1;
            (raise.is_under_way, raise.last) = (true, now);
            raise.next = now + PAUSES.delay(raise.times, self.setup.rng.roll());
            let (hold, term) = (*hold, contested.term.clone());
            raise.rows = contested.rows.iter().map(|(key, row)| (*key, row.token)).collect();
            let rows: Vec<_> = raise.rows.keys().copied().collect();
            let renewed = async move {
                let result = term.annotate(AnnotationChanges::new()).await;
                Beside::Raised(Raised { hold, rows, result })
            };
            self.beside.push(renewed.boxed());
        }
        self.report_contested(due);
        let waiting = due.contested.keys().filter_map(|hold| self.raises.0.get(hold));
        waiting.filter(|raise| !raise.is_under_way).map(|raise| raise.next).min()
    }

    pub(super) fn raised(&mut self, raised: Raised) {
        let Raised { hold, rows, result } = raised;
        if let Some(raise) = self.raises.0.get_mut(&hold) {
            raise.is_under_way = false;
        }
        // Without an answer it is tried again, unless the term has ended.
        if let Ok(revision) = result {
            self.rows.raise(hold, rows, revision.version.into());
        }
    }

    /// Tells about rows that a renewal has not helped.
    fn report_contested(&mut self, due: &Due) {
        let in_vain = |(hold, contested): (&u64, &Contested)| {
            let raise = self.raises.0.get(hold).filter(|raise| !raise.is_under_way)?;
            let still = |(key, row): (&RowKey, &Row)| {
                (raise.rows.get(key) == Some(&row.token)).then(|| (*key, row.clone()))
            };
            contested.rows.iter().find_map(still)
        };
        let Some((key, row)) = due.contested.iter().find_map(in_vain) else {
            self.contested(None);
            return;
        };
        let (namespace, name) = (&self.setup.options.elections.namespace, &self.table.name);
        self.contested(Some(format!(
            "row {key} of OwnershipTable {namespace}/{name} names Pod {} with token {}, which is larger than the version of the Lease that this replica holds, so this part of the work has \
             to wait; if nobody else holds that Lease, somebody has edited the row: delete the table, and the replicas make a new one: kubectl delete \
             ownershiptables.shard-router.dev -n {namespace} {name}",
            row.pod, row.token
        )));
    }
}
