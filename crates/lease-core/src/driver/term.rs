//! The term: one continuous holding of a Lease, from the point of view of the work.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::clock::Clock;
use super::commands::{AnnotateError, AnnotationSender};
use super::watchdog::{PollWatchdog, Tracked};
use super::writes::{AnnouncedWrite, Writes};
use crate::annotations::AnnotationChanges;
use crate::identity::Identity;
use crate::name::LeaseName;
use crate::revision::{FencingToken, Revision};
use crate::time::{Monotonic, Now};
use crate::validity::Validity;

/// One continuous holding of a Lease by this process. Cheap to clone. After the end of the term, every clone says that it is
/// over.
#[derive(Clone)]
pub struct Term {
    shared: Arc<Shared>,
}

struct Shared {
    lease: LeaseName,
    identity: Identity,
    token: FencingToken,
    sent: Now,
    clock: Arc<dyn Clock>,
    validity: watch::Sender<Validity>,
    drain: CancellationToken,
    closed: CancellationToken,
    tracker: TaskTracker,
    watchdog: Arc<PollWatchdog>,
    writes: Arc<Writes>,
    annotation_sender: AnnotationSender,
    acquired_annotations: BTreeMap<String, String>,
}

impl Term {
    #[expect(
        clippy::too_many_arguments,
        reason = "called once for each kind of candidate, by the one who gathered them"
    )]
    pub(super) fn new(
        lease: LeaseName,
        identity: Identity,
        token: FencingToken,
        validity: Validity,
        sent: Now,
        clock: Arc<dyn Clock>,
        annotation_sender: AnnotationSender,
        acquired_annotations: BTreeMap<String, String>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                writes: Writes::of(&lease, &clock),
                lease,
                identity,
                token,
                sent,
                watchdog: PollWatchdog::new(Arc::clone(&clock)),
                clock,
                validity: watch::Sender::new(validity),
                drain: CancellationToken::new(),
                closed: CancellationToken::new(),
                tracker: TaskTracker::new(),
                annotation_sender,
                acquired_annotations,
            }),
        }
    }

    /// The name of the Lease.
    pub fn lease(&self) -> &LeaseName {
        &self.shared.lease
    }

    /// The identity of the holder, which is this process.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// The fencing token. It is larger than that of every earlier holder of this Lease.
    pub fn token(&self) -> FencingToken {
        self.shared.token
    }

    /// The annotations of the Lease when it was acquired. Empty without leader election.
    pub fn acquired_annotations(&self) -> &BTreeMap<String, String> {
        &self.shared.acquired_annotations
    }

    /// An instant not later than the sending of the request that acquired the Lease. The validity counts from
    /// then.
    pub fn acquisition_sent(&self) -> Now {
        self.shared.sent
    }

    /// Whether this process may act. Reads the clock.
    pub fn is_valid(&self) -> bool {
        self.remaining().is_some()
    }

    /// How much longer this process may act if no further renewal succeeds; `None` if the term is over.
    pub fn remaining(&self) -> Option<Duration> {
        self.validity().remaining(self.shared.clock.now())
    }

    /// Until when this process may act if no further renewal succeeds.
    pub fn validity(&self) -> Validity {
        *self.shared.validity.borrow()
    }

    /// Changes of the validity: every extension, and its end ([`Validity::over`]).
    pub fn renewals(&self) -> watch::Receiver<Validity> {
        self.shared.validity.subscribe()
    }

    /// Resolves when the validity is over.
    pub async fn ended(&self) {
        let mut renewals = self.renewals();
        while let Some(remaining) = self.remaining() {
            tokio::select! {
                () = self.shared.clock.sleep(remaining) => {}
                changed = renewals.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Whether the work should not begin anything new, because the Lease is about to be released or was lost.
    pub fn is_draining(&self) -> bool {
        self.shared.drain.is_cancelled()
    }

    /// Resolves when the work should not begin anything new. Finish what is in progress, and return.
    pub async fn draining(&self) {
        self.shared.drain.cancelled().await;
    }

    /// Ties a future to the term: the Lease is released only after the future has been dropped, and it is not renewed while the future blocks its
    /// thread for longer than RetryPeriod. This does not cancel the future; that is up to the caller.
    pub fn track<F: Future>(&self, future: F) -> Tracked<F> {
        Tracked::new(future, &self.shared.watchdog, self.shared.tracker.token())
    }

    /// Announces a write that is sent by other means than [`client`](Self::client), so that the Lease is not released while the write may
    /// still be applied. `None` if the work of the term has been joined: then the write must not be sent.
    pub fn announce_write(&self) -> Option<AnnouncedWrite> {
        AnnouncedWrite::begin(&self.shared.writes)
    }

    /// How much longer clients of this term may send; `None` if they may not.
    pub(super) fn may_send_for(&self) -> Option<Duration> {
        self.remaining().filter(|_| !self.shared.closed.is_cancelled())
    }

    /// Resolves when clients of this term may not send any more.
    pub(super) async fn sending_ends(&self) {
        tokio::select! {
            () = self.ended() => {}
            () = self.shared.closed.cancelled() => {}
        }
    }

    /// When this term last gave up on a write ([`AnnouncedWrite`]), by `CLOCK_MONOTONIC`. The write may still be applied until
    /// LeaseDuration − RenewDeadline later. Delay anything that conflicts with it until then.
    pub fn last_given_up(&self) -> Option<Monotonic> {
        self.shared.writes.given_up()
    }

    /// Closes every [`client`](Self::client) of this term. The work has been joined, and tasks that it may have left behind must send nothing
    /// while the Lease waits for its release, not even a write that has begun and still waits for its connection. Returns when the last
    /// write was given up that may still be applied.
    pub(super) fn close(&self) -> Option<Monotonic> {
        self.shared.closed.cancel();
        self.shared.writes.close(self.shared.clock.now().monotonic)
    }

    /// Sets annotations on the Lease (or removes them, with `None`). They are written with the next renewal, which is sent at
    /// once. They can only be written while this process holds the Lease.
    ///
    /// # Errors
    ///
    /// See [`AnnotateError`]. An annotation that the API server refuses costs one renewal, but not the Lease.
    pub async fn annotate(&self, annotations: AnnotationChanges) -> Result<Revision, AnnotateError> {
        if self.is_valid() {
            self.shared.annotation_sender.write(annotations).await
        } else {
            Err(AnnotateError::NotLeading)
        }
    }

    pub(super) fn set_validity(&self, validity: Validity) {
        self.shared.validity.send_if_modified(|current| {
            let changed = *current != validity;
            *current = validity;
            changed
        });
    }

    pub(super) fn drain(&self) {
        self.shared.drain.cancel();
    }

    pub(super) fn is_responsive(&self, limit: Duration) -> bool {
        self.shared.watchdog.is_responsive(limit)
    }

    /// Resolves when every tracked future has been dropped.
    pub(super) async fn joined(&self) {
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term")
            .field("lease", &self.shared.lease)
            .field("token", &self.shared.token)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
