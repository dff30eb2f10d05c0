//! The user's singleton tasks, during one term of the coordinator.

use futures::FutureExt;
use lease_core::Term;
use tokio::task::JoinSet;

use crate::{authority::clients::Clients, task::NamedTask};

/// The tasks that run; aborted when this is dropped.
#[derive(Default)]
pub(super) struct RunningTasks(JoinSet<()>);

impl RunningTasks {
    /// Starts them, with clients that work as long as the term does.
    ///
    /// The term tracks each: an aborted task ends at its next await and may be dropping what it holds for a while, and the Lease must not be
    /// released before that. A task that blocks its thread costs the Lease, as a reconcile that does so costs the shard.
    pub(super) fn start(tasks: &[NamedTask], clients: &Clients, term: &Term) -> Self {
        let start = |task: &NamedTask| {
            let draining = term.clone();
            let shutdown = async move { draining.draining().await }.boxed();
            term.track(task.start(clients.of_term(term), Some(term.clone()), shutdown))
        };
        Self(tasks.iter().map(start).collect())
    }

    /// Waits until all of them have ended.
    pub(super) async fn ended(mut self) {
        while let Some(ended) = self.0.join_next().await {
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!("a task of the coordinator has panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Duration,
    };

    use http::{Request, Response};
    use kube::{Client, client::Body};
    use lease_core::{Connection, Elections, ElectionsOptions, Identity, LeaderElectionId, SystemClock};
    use tower::BoxError;

    use super::*;
    use crate::observability::rights::Rights;

    /// What a task leaves behind when it is aborted: it takes its time to go.
    struct SlowToGo(Arc<AtomicBool>);

    impl Drop for SlowToGo {
        fn drop(&mut self) {
            std::thread::sleep(Duration::from_millis(300));
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_term_does_not_end_before_an_aborted_task_is_gone() {
        let silent = |_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>();
        let client = Client::new(tower::service_fn(silent), "ns");
        let id = LeaderElectionId::new("op.example.com").unwrap();
        let mut options = ElectionsOptions::new(id, "ns", Identity::of_pod("op-0", "1").unwrap());
        options.leader_election = false;
        let elections = Elections::start(client.clone(), options).await.unwrap();
        let clock = Arc::new(SystemClock);
        let rights = Arc::new(Rights::new(clock.clone(), Duration::from_secs(1)));
        let clients = Clients::new(Connection::from(client), "op/1", clock, rights).unwrap();

        let (begun, gone) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicBool::new(false)));
        let (begins, going) = (begun.clone(), gone.clone());
        let task = NamedTask::new("slow to go", move |_| {
            let (begins, held) = (begins.clone(), SlowToGo(going.clone()));
            async move {
                let _held = held;
                begins.notify_one();
                std::future::pending::<()>().await;
            }
        });
        let leader = elections.lead(move |term: Term| {
            let (task, clients) = (task.clone(), clients.clone());
            async move {
                let _running = RunningTasks::start(&[task], &clients, &term);
                term.draining().await;
                // And not `ended`: the drain timeout is over.
            }
        });
        begun.notified().await;
        leader.shutdown().await;
        assert!(gone.load(Ordering::SeqCst), "the term is over, and the task still runs");
    }
}
