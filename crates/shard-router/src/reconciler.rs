//! What the user writes.

use std::{error::Error as StdError, fmt, future::Future, sync::Arc, time::Duration};

use kube::{Client, runtime::controller::Action};

use crate::{authority::held::Held, watch::lenient::Undecodable};

/// Brings the cluster into line with one custom resource. `self` is the user's context.
///
/// Also implemented for closures `Fn(Arc<K>, Held) -> impl Future<Output = Result<Action, E>> + Send`.
///
/// - Use [`Held::client`] for every request.
/// - Put [`Held::label_child`] on every child.
/// - Clean up by owner references, or by a finalizer of your own. That a resource disappears from a watch means
///   nothing.
/// - Do not block the thread: a shard whose runtime shows no sign of life loses its Lease.
pub trait Reconciler<K>: Send + Sync + 'static {
    /// Why a reconcile failed.
    type Error: StdError + Send + Sync + 'static;

    /// One reconcile. Aborted, at an `await`, if the shard is lost.
    fn reconcile(
        &self,
        object: Arc<K>,
        held: Held,
    ) -> impl Future<Output = Result<Action, Self::Error>> + Send;

    /// The error policy: what happens after a failure, of which there have now been `failures` in a row. `backoff` is
    /// the delay that the exponential backoff of [`Options`](crate::Options) has worked out, and what the default
    /// uses.
    fn after_failure(
        &self,
        object: &K,
        failure: &Failure<Self::Error>,
        failures: u32,
        backoff: Duration,
    ) -> Action {
        let _ = (object, failure, failures);
        Action::requeue(backoff)
    }

    /// Says on a resource that it cannot be decoded, in its conditions. The router itself logs it, counts it and publishes an
    /// event on it; it does not know the conditions of a resource, so the default does nothing more.
    ///
    /// Called again whenever the resource changes and still does not decode, so write only what is not there yet; and
    /// again, later, after an error.
    fn report_undecodable(
        &self,
        object: &Undecodable,
        client: Client,
    ) -> impl Future<Output = Result<(), kube::Error>> + Send {
        let _ = (object, client);
        async { Ok(()) }
    }
}

impl<K, F, Fut, E> Reconciler<K> for F
where
    F: Fn(Arc<K>, Held) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Action, E>> + Send,
    E: StdError + Send + Sync + 'static,
{
    type Error = E;

    fn reconcile(
        &self,
        object: Arc<K>,
        held: Held,
    ) -> impl Future<Output = Result<Action, Self::Error>> + Send {
        self(object, held)
    }
}

/// Why a reconcile did not succeed.
#[derive(Debug)]
pub enum Failure<E> {
    /// The reconciler said so.
    Error(E),
    /// The reconciler panicked, with this message. Its siblings go on.
    Panicked(String),
    /// The reconcile succeeded, but the finalizer that keeps the resource's name taken could not be removed.
    FinalizerNotRemoved(kube::Error),
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "the reconciler panicked: {message}"),
            Self::FinalizerNotRemoved(error) => {
                write!(f, "the finalizer of the shard's owner could not be removed: {error}")
            }
        }
    }
}

impl<E: StdError + 'static> StdError for Failure<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Error(error) => Some(error),
            Self::Panicked(_) => None,
            Self::FinalizerNotRemoved(error) => Some(error),
        }
    }
}
