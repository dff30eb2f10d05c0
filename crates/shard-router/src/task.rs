//! Additional tasks of the user: on every replica, or only on the coordinator.

use std::{future::Future, sync::Arc};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use kube::Client;
use lease_core::Term;

/// The context of a task.
#[derive(Clone)]
pub struct TaskContext {
    client: Client,
    term: Option<Term>,
    shutdown: Shared<BoxFuture<'static, ()>>,
}

impl TaskContext {
    /// The client of the task. For tasks of the coordinator it refuses to send once the coordinator Lease is lost. Its user agent is
    /// `<product>-task/<version> (<identity>)`, so that the requests of tasks can be distinguished from those of reconciles.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Whether the coordinator Lease is still held. Always true for tasks that run on every replica.
    pub fn is_valid(&self) -> bool {
        self.term.as_ref().is_none_or(Term::is_valid)
    }

    /// Resolves when the task should end: at shutdown, and after a restore of etcd, after which it is started again. A task that does not end within
    /// the drain timeout is aborted.
    pub async fn shutdown(&self) {
        self.shutdown.clone().await;
    }
}

/// A task and its name in the log.
#[derive(Clone)]
pub(crate) struct NamedTask {
    name: Arc<str>,
    start: Arc<dyn Fn(TaskContext) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl NamedTask {
    pub(crate) fn new<F, Fut>(name: &str, task: F) -> Self
    where
        F: Fn(TaskContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self { name: name.into(), start: Arc::new(move |context| task(context).boxed()) }
    }

    pub(crate) fn start(
        &self,
        client: Client,
        term: Option<Term>,
        shutdown: BoxFuture<'static, ()>,
    ) -> BoxFuture<'static, ()> {
        let (name, task) =
            (self.name.clone(), (self.start)(TaskContext { client, term, shutdown: shutdown.shared() }));
        async move {
            tracing::info!(task = %name, "started");
            task.await;
            tracing::info!(task = %name, "ended");
        }
        .boxed()
    }
}
