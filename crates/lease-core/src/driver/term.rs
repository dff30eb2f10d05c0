//! One continuous holding of one Lease, as those see it who work under it.

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

/// One continuous holding of one Lease by this process. Cheap to clone; a clone kept beyond the end only says that it is
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
}

impl Term {
    pub(super) fn new(
        lease: LeaseName,
        identity: Identity,
        token: FencingToken,
        validity: Validity,
        sent: Now,
        clock: Arc<dyn Clock>,
        annotation_sender: AnnotationSender,
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
            }),
        }
    }

    /// Which Lease.
    pub fn lease(&self) -> &LeaseName {
        &self.shared.lease
    }

    /// Who holds it: this process.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Larger than that of every earlier holder of this Lease.
    pub fn token(&self) -> FencingToken {
        self.shared.token
    }

    /// When the machine decided to send the request by which the Lease was acquired, at the latest: validity counts from
    /// then.
    pub fn acquisition_sent(&self) -> Now {
        self.shared.sent
    }

    /// Whether this process may act. Reads the clock.
    pub fn is_valid(&self) -> bool {
        self.remaining().is_some()
    }

    /// How much longer this process may act if no renewal succeeds; `None` once it is over.
    pub fn remaining(&self) -> Option<Duration> {
        self.validity().remaining(self.shared.clock.now())
    }

    /// Until when this process may act, as things stand.
    pub fn validity(&self) -> Validity {
        *self.shared.validity.borrow()
    }

    /// Every extension of the validity, and its end ([`Validity::over`]).
    pub fn renewals(&self) -> watch::Receiver<Validity> {
        self.shared.validity.subscribe()
    }

    /// Ready once the validity is over.
    pub async fn ended(&self) {
        let mut renewals = self.renewals();
        while let Some(remaining) = self.remaining() {
            tokio::select! {
                () = self.shared.clock.sleep(remaining) => {}
                changed = renewals.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Whether nothing new should be begun: the Lease is about to be given up, or lost.
    pub fn is_draining(&self) -> bool {
        self.shared.drain.is_cancelled()
    }

    /// Ready when nothing new should be begun. Finish what runs, and return.
    pub async fn draining(&self) {
        self.shared.drain.cancelled().await;
    }

    /// Ties a future to the term: the Lease is given up only after it was dropped, and is not renewed while it blocks its
    /// thread for longer than RetryPeriod. It is not cancelled by this; that is for the one who polls it.
    pub fn track<F: Future>(&self, future: F) -> Tracked<F> {
        Tracked::new(future, &self.shared.watchdog, self.shared.tracker.token())
    }

    /// Announces a write that is sent by other means than [`client`](Self::client), so that the Lease is not released while it may
    /// still land. `None` if the term's work has been joined: then the write must not be sent.
    pub fn announce_write(&self) -> Option<AnnouncedWrite> {
        AnnouncedWrite::begin(&self.shared.writes)
    }

    /// Lets no [`client`](Self::client) of this term send any more, although the Lease may go on for a while: once the work has
    /// drained, nothing has any business with the API server.
    pub fn close_clients(&self) {
        self.shared.closed.cancel();
    }

    /// How much longer clients of this term may send; `None` once they may not.
    pub(super) fn may_send_for(&self) -> Option<Duration> {
        self.remaining().filter(|_| !self.shared.closed.is_cancelled())
    }

    /// Ready once clients of this term may not send any more.
    pub(super) async fn sending_ends(&self) {
        tokio::select! {
            () = self.ended() => {}
            () = self.shared.closed.cancelled() => {}
        }
    }

    /// When a write under this term was last given up on ([`AnnouncedWrite`]), by `CLOCK_MONOTONIC`. It may land for as long as
    /// LeaseDuration − RenewDeadline from then on: whatever must not happen beside it has to wait.
    pub fn last_given_up(&self) -> Option<Monotonic> {
        self.shared.writes.given_up()
    }

    /// Lets no write begin any more. Says when the last was given up on that may still land.
    pub(super) fn close_writes(&self) -> Option<Monotonic> {
        self.shared.writes.close(self.shared.clock.now().monotonic)
    }

    /// Sets annotations on the Lease (with `None`, removes them), in one write with the next renewal, which is brought
    /// forward. They can only be written while this process holds the Lease.
    ///
    /// # Errors
    ///
    /// See [`AnnotateError`]. What is refused costs one renewal, not the Lease.
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

    /// Ready once every tracked future has been dropped.
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
