//! The commands that a handle sends to the task of its candidate.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::request_error::RequestError;
use crate::annotations::AnnotationChanges;
use crate::config::Successors;
use crate::identity::Identity;
use crate::metadata::InvalidMetadata;
use crate::revision::Revision;

/// Answers a request for annotations.
pub(super) type AnnotationReply = oneshot::Sender<Result<Revision, AnnotateError>>;

/// A command for the task of a candidate.
#[derive(Debug)]
pub(super) enum Command {
    AcquireDelay(Duration),
    Successors(Successors),
    Contend(bool),
    StepDown(Option<Identity>),
    Abandon,
    Annotate(AnnotationChanges, AnnotationReply),
    /// Shut down. The work is drained and joined first. Then the Lease is released, if that succeeds within this time.
    Shutdown(Duration),
}

/// Sends annotations from the work to its candidate. The reference is weak, because the work must not keep the candidate alive.
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

/// Why annotations were not written, or may not have been written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotateError {
    /// This process does not hold the Lease, or lost it before the annotations were certain to have been written.
    #[error(
        "the annotations may not have been written, because this replica does not hold the Lease or has lost it"
    )]
    NotLeading,
    /// The annotations are invalid. A retry does not help.
    #[error(transparent)]
    Invalid(#[from] InvalidMetadata),
    /// The API server refused them ([`RequestError::Rejected`]), or several writes with them have failed. The Lease is
    /// renewed without them.
    #[error("the annotations may not have been written to the Lease: {0}")]
    NotWritten(#[source] RequestError),
}
