//! What the holder of a shard Lease does as the layout changes: give buckets away, acknowledge, and start those that it gains.

mod entering;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use lease_core::{AnnotateError, AnnotationChanges, FencingToken, Monotonic, Revision, Term};

use self::entering::{Entering, rows_of};
use super::{ShardHold, groups::Groups, lost::Lost};
use crate::{
    layout_change::{Acknowledged, Generation, acknowledge, buckets},
    membership::{
        acknowledgement::{LeaseAcknowledgement, acknowledged},
        known_layout::LayoutState,
    },
    observability::records::HoldRecord,
    ownership::HoldRows,
    routing::{
        bucket::{Bucket, ShardId},
        layout::Layout,
    },
    setup::Setup,
    watched::ReadMark,
};

/// The work of one hold, and how far it has followed the layout.
pub(super) struct ShardWork {
    // Dropped first: what runs ends before the records of the hold do.
    groups: Groups,
    setup: Arc<Setup>,
    shard: ShardId,
    term: Term,
    lease: Option<Arc<LeaseAcknowledgement>>,
    record: Arc<HoldRecord>,
    since: Monotonic,
    acquired: ReadMark,
    /// What the Lease has acknowledged.
    acknowledged: Acknowledged,
    /// What the acquisition has acknowledged, and whether that was known to be settled then.
    at_acquisition: (Acknowledged, bool),
    state: LayoutState,
    lost: Option<Lost>,
    acknowledging: Option<Renewal<Arc<Layout>>>,
    renewing: Option<Renewal<Gained>>,
    /// Buckets whose rows are awaited.
    entering: Vec<Entering>,
    rows: HoldRows,
    /// No write of an acknowledgement or for a token before.
    not_before: Option<Monotonic>,
    was_draining: bool,
}

/// A renewal that was asked for at once, and what for.
type Renewal<T> = BoxFuture<'static, (T, Result<Revision, AnnotateError>)>;

/// Buckets that may be started, and wait for a fencing token.
struct Gained {
    buckets: BTreeSet<Bucket>,
    sent: lease_core::Now,
    acquired: ReadMark,
}

pub(super) enum Step {
    Continue,
    Ended,
}

impl ShardWork {
    pub(super) fn new(hold: &ShardHold, record: Arc<HoldRecord>) -> Self {
        let ShardHold { setup, kinds, shard, term, acknowledgement } = hold;
        let at_acquisition = match acknowledgement {
            Some(lease) => {
                let layout = lease.at_acquisition(term.acquired_annotations());
                (acknowledged(layout.as_ref()), layout.is_some_and(|layout| layout.settled))
            }
            None => (acknowledged(setup.layouts.layout().as_deref()), true),
        };
        Self {
            groups: Groups::new(setup, kinds, *shard, term),
            setup: setup.clone(),
            shard: *shard,
            term: term.clone(),
            lease: acknowledgement.clone(),
            record,
            since: setup.clock.now().monotonic,
            acquired: setup.watched.mark(),
            acknowledged: at_acquisition.0,
            at_acquisition,
            state: LayoutState::default(),
            lost: None,
            acknowledging: None,
            renewing: None,
            entering: Vec::new(),
            rows: setup.ownership.of_hold(term, Some(*shard)),
            not_before: None,
            was_draining: false,
        }
    }

    /// Takes in what is known of the layout now, and does what follows from it.
    pub(super) fn follow(&mut self, state: &LayoutState) {
        self.state = state.clone();
        let Some(known) = state.generation().filter(|_| !self.term.is_draining()) else { return };
        self.give_away(&known);
        self.start_entered();
        self.acknowledge(&known);
        self.start_gained(&known);
    }

    /// Whether there is no bucket that this shard waits for.
    pub(super) fn has_begun(&self, state: &LayoutState) -> bool {
        let Some(known) = state.generation() else { return false };
        let open = self.groups.open();
        Bucket::all().filter(|bucket| known.gives(*bucket, self.shard)).all(|bucket| open.contains(&bucket))
    }

    /// Whether the end of a reconcile makes a difference.
    pub(super) fn waits_for_reconciles(&self) -> bool {
        self.lost.is_some() || self.is_blocked()
    }

    /// Resolves when something has happened that [`follow`](Self::follow) has to be called after.
    pub(super) async fn step(&mut self) -> Step {
        if self.was_draining && self.groups.is_idle() {
            return Step::Ended;
        }
        let wait = self.due_in();
        tokio::select! {
            expected = self.groups.ended() => if expected { Step::Continue } else { Step::Ended },
            (layout, written) = when(&mut self.acknowledging) => {
                self.acknowledging = None;
                self.acknowledgement_written(&layout, written.err());
                Step::Continue
            }
            (gained, written) = when(&mut self.renewing) => {
                self.renewing = None;
                match written {
                    Ok(revision) => self.start_with_token(gained, revision.version.into()),
                    Err(error) => self.again_later("renewed for a gained bucket", &error),
                }
                Step::Continue
            }
            () = sleep(&self.setup, wait) => Step::Continue,
            () = self.term.draining(), if !self.was_draining => {
                self.was_draining = true;
                Step::Continue
            }
        }
    }

    /// Closes the buckets that this hold must not continue to work on.
    fn give_away(&mut self, known: &Generation) {
        let (shard, acknowledged) = (self.shard, self.acknowledged);
        let closed = self.groups.close(|bucket| buckets::may_continue(shard, bucket, acknowledged, known));
        self.rows.void(&rows_of(&closed));
        let now = self.setup.clock.now().monotonic;
        if !closed.is_empty() {
            tracing::info!(
                shard = %self.shard, buckets = closed.len(), generation = known.number,
                "buckets of a shard go to other shards; their reconciles end"
            );
            let abort_at = now + self.setup.options.drain_timeout;
            self.lost.get_or_insert_default().add(closed, abort_at);
        }
        let Some(lost) = &mut self.lost else { return };
        if !self.setup.running_buckets.runs(self.groups.hold, &lost.buckets) {
            let timings = &self.setup.options.elections.timings;
            let in_transit = timings.lease_duration().saturating_sub(timings.renew_deadline());
            lost.ended(|| acknowledge::landed_at(self.term.last_given_up(), in_transit, now));
        } else if lost.overruns(now) {
            tracing::warn!(
                shard = %self.shard,
                "the drain timeout has passed; reconciles of buckets that go to other shards are aborted"
            );
            self.groups.abort(&lost.buckets);
        }
    }

    /// Writes on the Lease that the layout is acknowledged, once nothing of the lost buckets runs any more.
    fn acknowledge(&mut self, known: &Generation) {
        let (Some(lease), Some(layout)) = (&self.lease, &self.state.layout) else { return };
        let now = self.setup.clock.now().monotonic;
        let runs = self.lost.as_ref().is_some_and(|lost| lost.runs(now));
        let due = acknowledge::due(self.acknowledged, known, runs);
        if due.is_some() && self.acknowledging.is_none() && self.may_write(now) {
            // They have ended. What is lost before this write is answered belongs to the next acknowledgement.
            self.lost = None;
            // Any renewal may carry it from now on.
            lease.set(layout);
            let (layout, renewed) = (layout.clone(), renew(&self.term));
            self.acknowledging = Some(async move { (layout, renewed.await) }.boxed());
        } else if due.is_none() && self.acknowledged == known.number && known.settled {
            // It tells a later acquisition that the layout was settled before.
            lease.set(layout);
        }
    }

    fn acknowledgement_written(&mut self, layout: &Layout, error: Option<AnnotateError>) {
        if let Some(error) = error {
            self.again_later("acknowledged", &error);
            return;
        }
        tracing::info!(shard = %self.shard, generation = layout.generation, "acknowledged the layout");
        self.acknowledged = self.acknowledged.max(layout.generation);
    }

    /// Starts the buckets that this hold may start, at once or after one more renewal.
    fn start_gained(&mut self, known: &Generation) {
        let open = self.groups.open();
        let may_start = |bucket: &Bucket| {
            !open.contains(bucket)
                && !self.entering.iter().any(|entering| entering.buckets.contains(bucket))
                && self.lost.as_ref().is_none_or(|lost| !lost.buckets.contains(bucket))
                && self.may_start(*bucket, known)
                && buckets::may_start_beside(
                    self.setup.running_buckets.runs_elsewhere(self.groups.hold, *bucket),
                )
        };
        let (at_once, later): (BTreeSet<Bucket>, BTreeSet<Bucket>) =
            Bucket::all().filter(may_start).partition(|bucket| self.acquisition_is_token(*bucket, known));
        self.enter(at_once, self.term.token(), None);
        let now = self.setup.clock.now();
        if !later.is_empty() && self.renewing.is_none() && self.may_write(now.monotonic) {
            let gained = Gained { buckets: later, sent: now, acquired: self.setup.watched.mark() };
            let renewed = renew(&self.term);
            self.renewing = Some(async move { (gained, renewed.await) }.boxed());
        }
    }

    /// The buckets could be started when the renewal was sent, so its version is their token.
    fn start_with_token(&mut self, gained: Gained, token: FencingToken) {
        if self.term.is_draining() {
            return;
        }
        let Gained { buckets, sent, acquired } = gained;
        let continues = |bucket: &Bucket| self.may_enter(*bucket, true);
        let buckets: BTreeSet<Bucket> = buckets.into_iter().filter(continues).collect();
        self.enter(buckets, token, Some((sent, acquired)));
    }

    fn acquisition_is_token(&self, bucket: Bucket, known: &Generation) -> bool {
        let (acquired_with, settled) = self.at_acquisition;
        self.lease.is_none()
            || buckets::acquisition_is_token(self.shard, bucket, known, acquired_with, settled)
    }

    fn may_start(&self, bucket: Bucket, known: &Generation) -> bool {
        buckets::may_start(self.shard, bucket, self.acknowledged, known, &self.state.leases)
    }

    /// Whether a bucket waits for a reconcile of it under another hold of this process.
    fn is_blocked(&self) -> bool {
        let Some(known) = self.state.generation() else { return false };
        let open = self.groups.open();
        Bucket::all().any(|bucket| {
            self.setup.running_buckets.runs_elsewhere(self.groups.hold, bucket)
                && !open.contains(&bucket)
                && self.may_start(bucket, &known)
        })
    }

    fn may_write(&self, now: Monotonic) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }

    fn again_later(&mut self, what: &str, error: &AnnotateError) {
        if self.term.is_valid() {
            tracing::warn!(shard = %self.shard, %error, "the Lease of a shard was not {what}; this is retried");
        }
        let pause = self.setup.options.elections.timings.hurried_retry();
        self.not_before = Some(self.setup.clock.now().monotonic + pause);
    }

    /// How long until something is due by itself.
    fn due_in(&self) -> Option<Duration> {
        let now = self.setup.clock.now().monotonic;
        let of_lost = self.lost.as_ref().and_then(Lost::due_at);
        let due = of_lost.into_iter().chain(self.not_before).filter(|at| *at > now).min();
        due.map(|at| at.duration_since(now))
    }
}

/// Renews the Lease now. The renewal says what is acknowledged, like any other.
fn renew(term: &Term) -> impl Future<Output = Result<Revision, AnnotateError>> + Send + use<> {
    let term = term.clone();
    async move { term.annotate(AnnotationChanges::new()).await }
}

/// The result of a write that is under way. Never resolves if there is none.
async fn when<T>(write: &mut Option<BoxFuture<'static, T>>) -> T {
    match write {
        Some(write) => write.await,
        None => std::future::pending().await,
    }
}

async fn sleep(setup: &Setup, wait: Option<Duration>) {
    match wait {
        Some(wait) => setup.clock.sleep(wait).await,
        None => std::future::pending().await,
    }
}
