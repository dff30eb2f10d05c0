//! [`Reconciler`]: what the user implements.

use std::{error::Error as StdError, fmt, future::Future, sync::Arc, time::Duration};

use kube::{Client, runtime::controller::Action};

use crate::{authority::held::Held, caches::UnlabelledChild, watch::lenient::Undecodable};

/// What a user declares to do after a failure, from the resource, the error and the number of failures in a row.
pub(crate) type ErrorPolicy<K> = Arc<dyn Fn(&K, &(dyn StdError + 'static), u32) -> Action + Send + Sync>;

/// Reconciles one custom resource: makes the cluster match its spec. `self` is the user's context.
///
/// Also implemented for closures `Fn(Arc<K>, Held) -> impl Future<Output = Result<Action, E>> + Send`.
///
/// A span `reconcile` with the fields `kind`, `cr`, `shard`, `token` and `replica` is around each reconcile, so what it logs says where it belongs.
///
/// - Use [`Held::client`] for every request.
/// - Write children with [`Held::apply_owned`], or put [`Held::label_child`] on each.
/// - Clean up by owner references, or by your own finalizer. A resource that disappears from a watch was not necessarily
///   deleted.
/// - Do not block the thread: if the runtime makes no progress, the shard loses its Lease.
pub trait Reconciler<K>: Send + Sync + 'static {
    /// Why a reconcile failed.
    type Error: StdError + Send + Sync + 'static;

    /// Reconciles the object once. The future is dropped, at an `await`, if the shard is lost.
    ///
    /// # Errors
    ///
    /// Any error of the reconciler. [`after_failure`](Self::after_failure) decides when to retry.
    fn reconcile(
        &self,
        object: Arc<K>,
        held: Held,
    ) -> impl Future<Output = Result<Action, Self::Error>> + Send;

    /// The error policy, unless [`Controller::error_policy`](crate::Controller::error_policy) declares one: what to do after a failure. `failures` is the number of failures in a row, `backoff` the
    /// delay according to the exponential backoff in [`Options`](crate::Options). The default is a requeue after
    /// `backoff`.
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

    /// Reports in the conditions of a resource that it cannot be decoded. The router itself logs this, counts it and publishes an
    /// event about it. It does not know the conditions of the resource, so the default does nothing more.
    ///
    /// This is called again whenever the resource changes and still does not decode, so write only if something differs. After
    /// an error it is called again later.
    ///
    /// # Errors
    ///
    /// If the status could not be written.
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

/// Why a reconcile failed.
#[derive(Debug)]
pub enum Failure<E> {
    /// The reconciler returned an error.
    Error(E),
    /// The reconciler panicked with this message. Other reconciles are not affected.
    Panicked(String),
    /// The reconcile succeeded, but it wrote a child that its shard does not see. It is repeated like any other failure, because no change of the child causes a
    /// reconcile.
    UnlabelledChild(UnlabelledChild),
    /// The reconcile succeeded, but the finalizer that keeps the resource's name taken could not be removed.
    FinalizerNotRemoved(kube::Error),
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::Panicked(message) => write!(f, "the reconciler panicked: {message}"),
            Self::UnlabelledChild(child) => child.fmt(f),
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
            Self::Panicked(_) | Self::UnlabelledChild(_) => None,
            Self::FinalizerNotRemoved(error) => Some(error),
        }
    }
}
