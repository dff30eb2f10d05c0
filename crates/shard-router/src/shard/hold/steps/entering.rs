//! From the permission to start a bucket to its start: the row of the ownership table in between.

use std::collections::BTreeSet;

use lease_core::{FencingToken, Now};

use super::{super::groups::Beginning, ShardWork};
use crate::{
    fencing::RowKey,
    layout_change::buckets,
    observability::records::{HoldFacts, HoldRecord},
    routing::bucket::Bucket,
    watched::ReadMark,
};

/// Buckets that may be started, and wait for their rows of the ownership table.
pub(super) struct Entering {
    pub(super) buckets: BTreeSet<Bucket>,
    token: FencingToken,
    /// Of gained buckets: when the renewal was sent that gave the token, and the reads that are later.
    gained: Option<(Now, ReadMark)>,
}

impl ShardWork {
    /// Starts these buckets as soon as their rows are written: at once without fencing.
    pub(super) fn enter(
        &mut self,
        buckets: BTreeSet<Bucket>,
        token: FencingToken,
        gained: Option<(Now, ReadMark)>,
    ) {
        if !buckets.is_empty() {
            self.rows.want(rows_of(&buckets), token);
            self.entering.push(Entering { buckets, token, gained });
            self.start_entered();
        }
    }

    /// Starts what has waited for its row. Gives up what may not be started any more, because the layout has changed since.
    pub(super) fn start_entered(&mut self) {
        for mut entering in std::mem::take(&mut self.entering) {
            let is_gained = entering.gained.is_some();
            let given_up: BTreeSet<Bucket> =
                entering.buckets.extract_if(.., |bucket| !self.may_enter(*bucket, is_gained)).collect();
            self.rows.void(&rows_of(&given_up));
            let is_ready = |bucket: &Bucket| self.rows.is_ready(RowKey::Bucket(*bucket));
            let ready: BTreeSet<Bucket> =
                entering.buckets.extract_if(.., |bucket| is_ready(bucket)).collect();
            if !ready.is_empty() {
                let beginning = self.beginning(&entering);
                self.groups.start(ready, beginning);
            }
            if !entering.buckets.is_empty() {
                self.entering.push(entering);
            }
        }
    }

    fn beginning(&self, entering: &Entering) -> Beginning {
        let Some((sent, acquired)) = entering.gained else {
            let (record, since, acquired) = (self.record.clone(), self.since, self.acquired);
            return Beginning { record, follows_renewals: false, since, acquired };
        };
        let facts = HoldFacts { token: entering.token.0, ..self.record.facts.clone() };
        let record = HoldRecord::begin(self.setup.recorder.clone(), facts, self.term.clone(), sent);
        Beginning { record, follows_renewals: true, since: sent.monotonic, acquired }
    }

    /// Whether a bucket that could be started, before its token was known or its row written, still can be. What a gained one has waited for does not matter any more.
    pub(super) fn may_enter(&self, bucket: Bucket, is_gained: bool) -> bool {
        let Some(known) = self.state.generation() else { return false };
        if is_gained {
            buckets::may_continue(self.shard, bucket, self.acknowledged, &known)
        } else {
            self.may_start(bucket, &known)
                && self.acquisition_is_token(bucket, &known)
                && buckets::may_start_beside(
                    self.setup.running_buckets.runs_elsewhere(self.groups.hold, bucket),
                )
        }
    }
}

pub(super) fn rows_of(buckets: &BTreeSet<Bucket>) -> Vec<RowKey> {
    buckets.iter().copied().map(RowKey::Bucket).collect()
}
