//! The work: what runs while a Lease is held.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::term::Term;

/// What runs while a Lease is held, on the user's runtime.
///
/// It should return when [`Term::draining`] has resolved and everything that it began is finished. If it returns earlier, the Lease
/// is released. If the term ends first, the future is dropped at its next await.
pub trait Work: Send + Sync + 'static {
    /// Runs under one term.
    fn run(&self, term: Term) -> BoxFuture<'static, ()>;
}

impl<W, F> Work for W
where
    W: Fn(Term) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    fn run(&self, term: Term) -> BoxFuture<'static, ()> {
        self(term).boxed()
    }
}

/// A handle to running work.
#[derive(Debug)]
pub(super) struct RunningWork {
    abort: AbortHandle,
    pub(super) term: Term,
    pub(super) ended: oneshot::Receiver<()>,
}

impl RunningWork {
    /// Starts the work on the user's runtime, and joins it on the current one.
    pub(super) fn start(work: &Arc<dyn Work>, term: &Term, user: &Handle) -> Self {
        let task = user.spawn(work.run(term.clone()));
        let abort = task.abort_handle();
        let (tell, ended) = oneshot::channel();
        let joined = term.clone();
        tokio::spawn(async move {
            if let Err(error) = task.await
                && error.is_panic()
            {
                tracing::error!(
                    "the work under lease {} panicked; the Lease will be released",
                    joined.lease()
                );
            }
            // Tracked futures that the work has left in other tasks are part of the work.
            joined.joined().await;
            // If the candidate has ended, there is no receiver.
            let _ = tell.send(());
        });
        Self { abort, term: term.clone(), ended }
    }

    pub(super) fn abort(&self) {
        self.abort.abort();
    }
}

/// Resolves when the work has ended and has been joined. Never resolves if no work runs.
pub(super) async fn ended(running: &mut Option<RunningWork>) {
    match running {
        // An error means that the sender was dropped together with its runtime. Then the work does not run either.
        Some(running) => drop((&mut running.ended).await),
        None => std::future::pending().await,
    }
}
