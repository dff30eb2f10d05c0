//! What the handles of an election ask of its task.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::request_error::RequestError;
use crate::annotations::AnnotationChanges;
use crate::config::Successors;
use crate::identity::Identity;
use crate::metadata::InvalidMetadata;
use crate::revision::Revision;

/// Answers whoever asked for annotations.
pub(super) type AnnotationReply = oneshot::Sender<Result<Revision, AnnotateError>>;

/// What a candidate's task is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    AcquireDelay(Duration),
    Successors(Successors),
    Contend(bool),
    StepDown(Option<Identity>),
    Abandon,
    Annotate(AnnotationChanges, AnnotationReply),
    /// Give everything up. What runs is drained and joined first; the Lease is released if that works out within this time.
    Shutdown(Duration),
}

/// Sends annotations from the work under a Lease to its candidate. Weak: the work must not keep the candidate alive.
#[derive(Clone, Debug)]
pub(super) struct AnnotationSender(mpsc::WeakUnboundedSender<Command>);

impl AnnotationSender {
    pub(super) fn to(commands: &mpsc::UnboundedSender<Command>) -> Self {
        Self(commands.downgrade())
    }

    pub(super) async fn write(&self, annotations: AnnotationChanges) -> Result<Revision, AnnotateError> {
        let (tell, outcome) = oneshot::channel();
        let commands = self.0.upgrade().ok_or(AnnotateError::NotLeading)?;
        commands.send(Command::Annotate(annotations, tell)).map_err(|_| AnnotateError::NotLeading)?;
        drop(commands);
        outcome.await.unwrap_or(Err(AnnotateError::NotLeading))
    }
}

/// Why annotations were not written, or not certainly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotateError {
    /// This process does not hold the Lease, or lost it before the annotations were certain to have been written.
    #[error(
        "this replica does not hold the Lease, so what it wanted to note there was not, or not certainly, written"
    )]
    NotLeading,
    /// No API server would take them. To ask again is of no use.
    #[error(transparent)]
    Invalid(#[from] InvalidMetadata),
    /// The API server refused them ([`RequestError::Rejected`]), or several writes that carried them failed. The Lease is
    /// renewed without them.
    #[error("what was to be noted on the Lease was not, or not certainly, written: {0}")]
    NotWritten(#[source] RequestError),
}
