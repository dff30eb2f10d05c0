//! What the operator's containers took of memory and CPU while a drill ran, as their kubelets measured it: what the chart's requests
//! are sized from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::harness::OPERATOR_NAMESPACE;

/// A kubelet measures every 10 to 15 s; to ask more often tells nothing new.
const EVERY: Duration = Duration::from_secs(5);

/// The most that any one of the containers took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// The working set, in bytes.
    pub(crate) memory_bytes: f64,
    /// Between two measurements of a kubelet, in cores.
    pub(crate) cpu_cores: f64,
}

impl Usage {
    /// For people; nothing where no kubelet told anything.
    pub(crate) fn describe(self) -> Option<String> {
        let mebibytes = self.memory_bytes / f64::from(1 << 20);
        (self.memory_bytes > 0.0)
            .then(|| format!("a replica took {mebibytes:.1} MiB and {:.2} cores at most", self.cpu_cores))
    }

    fn most(self, other: Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            cpu_cores: self.cpu_cores.max(other.cpu_cores),
        }
    }
}

/// Asks the kubelets for as long as it lives.
pub(crate) struct Meter {
    most: Arc<Mutex<Usage>>,
    task: JoinHandle<()>,
}

impl Meter {
    /// Begins. A node that does not answer, as in some drills, is asked again later.
    pub(crate) fn start(client: Client, nodes: Vec<String>) -> Self {
        let most = Arc::new(Mutex::new(Usage::default()));
        let seen = most.clone();
        let task = tokio::spawn(async move {
            let mut readings = Readings::default();
            loop {
                for node in &nodes {
                    if let Ok(text) = metrics(&client, node).await {
                        let taken = readings.take(&text);
                        let mut most = locked(&seen);
                        *most = most.most(taken);
                    }
                }
                tokio::time::sleep(EVERY).await;
            }
        });
        Self { most, task }
    }

    /// The most since the last time that this was asked.
    pub(crate) fn take(&self) -> Usage {
        std::mem::take(&mut *locked(&self.most))
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(usage: &Mutex<Usage>) -> MutexGuard<'_, Usage> {
    usage.lock()
}

async fn metrics(client: &Client, node: &str) -> anyhow::Result<String> {
    let request =
        http::Request::get(format!("/api/v1/nodes/{node}/proxy/metrics/resource")).body(Vec::new())?;
    Ok(tokio::time::timeout(EVERY, client.request_text(request)).await??)
}

/// CPU seconds and instant of the last measurement of each container.
#[derive(Default)]
struct Readings(HashMap<String, (f64, f64)>);

impl Readings {
    /// Takes what a kubelet serves at `/metrics/resource`, in Prometheus' text format.
    fn take(&mut self, text: &str) -> Usage {
        let mut most = Usage::default();
        let ours = format!("namespace=\"{OPERATOR_NAMESPACE}\"");
        for line in text.lines().filter(|line| line.contains(&ours)) {
            let Some((name, rest)) = line.split_once('{') else { continue };
            let Some((container, values)) = rest.split_once('}') else { continue };
            let mut values = values.split_whitespace().map(str::parse::<f64>);
            let Some(Ok(value)) = values.next() else { continue };
            match (name, values.next()) {
                ("container_memory_working_set_bytes", _) => most.memory_bytes = most.memory_bytes.max(value),
                ("container_cpu_usage_seconds_total", Some(Ok(millis))) => {
                    let before = self.0.insert(container.to_owned(), (value, millis));
                    if let Some((used, at)) = before
                        && millis > at
                    {
                        // A container that was started anew counts from zero again.
                        let cores = (value - used).max(0.0) / ((millis - at) / 1e3);
                        most.cpu_cores = most.cpu_cores.max(cores);
                    }
                }
                _ => {}
            }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(cpu: f64, millis: u64) -> String {
        format!(
            "# TYPE container_cpu_usage_seconds_total counter\n\
             container_cpu_usage_seconds_total{{container=\"operator\",namespace=\"{OPERATOR_NAMESPACE}\",pod=\"a\"}} {cpu} {millis}\n\
             container_cpu_usage_seconds_total{{container=\"memcached\",namespace=\"elsewhere\",pod=\"b\"}} 900 {millis}\n\
             container_memory_working_set_bytes{{container=\"operator\",namespace=\"{OPERATOR_NAMESPACE}\",pod=\"a\"}} 1.2e+07 {millis}\n"
        )
    }

    impl Usage {
        fn is_busy(self) -> bool {
            self.cpu_cores > 0.0
        }
    }

    #[test]
    fn cpu_counts_between_two_measurements_and_only_the_operators() {
        let mut readings = Readings::default();
        assert_eq!(readings.take(&served(1.0, 10_000)), Usage { memory_bytes: 12e6, cpu_cores: 0.0 });
        assert!(!readings.take(&served(1.0, 10_000)).is_busy(), "the same measurement again");
        let taken = readings.take(&served(3.5, 20_000));
        assert!((taken.cpu_cores - 0.25).abs() < 1e-9, "{taken:?}");
        assert!(!readings.take(&served(0.1, 30_000)).is_busy(), "started anew");
        assert!(
            taken.describe().expect("something was told").contains("11.4 MiB and 0.25 cores"),
            "{taken:?}"
        );
        assert_eq!(Usage::default().describe(), None);
    }
}
