//! What runs while a Lease is held.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::term::Term;

/// What runs while a Lease is held, on the user's runtime.
///
/// It should return when [`Term::draining`] is ready and all that it began is finished. If it returns earlier, the Lease
/// is released. If the term ends first, it is dropped at its next await.
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

/// Work that runs, and how to stop it.
#[derive(Debug)]
pub(super) struct RunningWork {
    abort: AbortHandle,
    pub(super) term: Term,
    pub(super) ended: oneshot::Receiver<()>,
}

impl RunningWork {
    /// Starts the work on the user's runtime and sees it to its end on this one.
    pub(super) fn start(work: &Arc<dyn Work>, term: &Term, user: &Handle) -> Self {
        let task = user.spawn(work.run(term.clone()));
        let abort = task.abort_handle();
        let (tell, ended) = oneshot::channel();
        let joined = term.clone();
        tokio::spawn(async move {
            if let Err(error) = task.await
                && error.is_panic()
            {
                tracing::error!("what ran under lease {} panicked; the Lease is given up", joined.lease());
            }
            // What the work left behind in tasks of its own counts as the work.
            joined.joined().await;
            // The receiver is gone when the candidate is: nobody left to tell.
            let _ = tell.send(());
        });
        Self { abort, term: term.clone(), ended }
    }

    pub(super) fn abort(&self) {
        self.abort.abort();
    }
}

/// Ready when the work has ended and been joined; never, while none runs.
pub(super) async fn ended(running: &mut Option<RunningWork>) {
    match running {
        // An error would mean that the one who tells was dropped, with its runtime: then nothing runs either.
        Some(running) => drop((&mut running.ended).await),
        None => std::future::pending().await,
    }
}
