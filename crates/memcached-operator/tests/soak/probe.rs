//! Whether the API server answers at all: what is promised about times assumes that it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use overlap_checker::records::Stamp;
use tokio::task::JoinHandle;

const EVERY: Duration = Duration::from_millis(250);
/// RetryPeriod: a renewal that takes longer than that uses up more than one of its attempts.
const SLOW: Duration = Duration::from_secs(1);

/// Reads from etcd through the API server now and then, and remembers when that took too long or failed. A machine with
/// too much to do is slow here as well.
pub(crate) struct Probe {
    slow: Arc<Mutex<Vec<(Stamp, Stamp)>>>,
    task: JoinHandle<()>,
}

impl Probe {
    pub(crate) fn start(client: Client) -> Self {
        let slow = Arc::<Mutex<Vec<_>>>::default();
        let found = slow.clone();
        let task = tokio::spawn(async move {
            let namespaces: Api<Namespace> = Api::all(client);
            let mut since = now();
            loop {
                let answer = namespaces.get("default").await;
                if answer.is_ok() {
                    // From the last answer on: in between nobody knows.
                    let answered = now();
                    if answered.boot.since(since.boot) > SLOW {
                        found.lock().unwrap_or_else(PoisonError::into_inner).push((since, answered.clone()));
                    }
                    since = answered;
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { slow, task }
    }

    /// From when to when there was no answer.
    pub(crate) fn slow(&self) -> Vec<(Stamp, Stamp)> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn now() -> Stamp {
    Stamp::now().expect("the boot clock is there")
}
