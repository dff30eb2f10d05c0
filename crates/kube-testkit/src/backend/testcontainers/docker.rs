//! The docker engine: whether there is one, and what earlier runs have left on it.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::{Pid, test_kill_process};
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};
use testcontainers::core::client::docker_client_instance;
use tokio::runtime::Runtime;

use crate::error::StartError;

/// On every container: the process that it belongs to.
pub(super) const OWNER: &str = "kube-testkit.owner";
/// On every container: the boot of the machine on which that process runs.
pub(super) const BOOT: &str = "kube-testkit.boot";

/// Every conversation with docker is held here, as its client and the containers outlive the runtime of the test that
/// happens to come first.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("kube-testkit-docker")
        .enable_all()
        .build()
        .expect("the system can start one more thread")
});

/// Runs a future on docker's runtime, from any other.
pub(super) async fn run<T: Send + 'static>(
    future: impl Future<Output = Result<T, StartError>> + Send + 'static,
) -> Result<T, StartError> {
    RUNTIME.spawn(future).await.map_err(|error| StartError::Docker(error.to_string()))?
}

/// Runs a future on docker's runtime and blocks until it is done, from anywhere, a destructor included.
pub(super) fn run_blocking(future: impl Future<Output = ()> + Send + 'static) {
    let (done, wait) = std::sync::mpsc::channel();
    RUNTIME.spawn(async move {
        future.await;
        let _ = done.send(());
    });
    // An error means that the future has panicked, and there is nothing more to wait for.
    let _ = wait.recv();
}

/// The engine that `DOCKER_HOST` or docker's default names, provided that it answers.
pub(super) async fn engine() -> Result<Docker, StartError> {
    const ANSWER_WITHIN: Duration = Duration::from_secs(5);
    let docker = docker_client_instance().await.map_err(|error| no_engine(&error))?;
    match tokio::time::timeout(ANSWER_WITHIN, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(no_engine(&error)),
        Err(_) => Err(no_engine(&format!("no answer for {ANSWER_WITHIN:?}"))),
    }
}

/// What labels a new container is to have.
pub(super) fn labels() -> [(&'static str, String); 2] {
    [(OWNER, std::process::id().to_string()), (BOOT, boot())]
}

/// Removes containers of processes that are no more: those which were killed on a machine without a docker command.
pub(super) async fn remove_leftovers(docker: &Docker) -> Result<(), StartError> {
    let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
    let options =
        ListContainersOptions { all: true, filters: Some(filters), ..ListContainersOptions::default() };
    let containers = docker.list_containers(Some(options)).await.map_err(|error| docker_error(&error))?;
    for container in containers {
        let (Some(id), Some(labels)) = (container.id, container.labels) else { continue };
        if is_left_over(&labels) {
            tracing::info!(id, "removing a container that an earlier run has left");
            let options =
                RemoveContainerOptions { force: true, v: true, ..RemoveContainerOptions::default() };
            // Another process may be at the same work.
            let _ = docker.remove_container(&id, Some(options)).await;
        }
    }
    Ok(())
}

/// A container's address on its (only) network, whatever the engine calls that.
pub(super) async fn address_of(container: &str) -> Result<String, StartError> {
    let details =
        engine().await?.inspect_container(container, None).await.map_err(|error| docker_error(&error))?;
    let networks = details.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let address = networks.into_values().filter_map(|network| network.ip_address).find(|ip| !ip.is_empty());
    address.ok_or_else(|| docker_error(&format!("container {container} has no address; did it end at once?")))
}

/// Which of these containers has ended, and how.
pub(super) async fn ended(containers: Vec<String>) -> Option<String> {
    let docker = engine().await.ok()?;
    for id in containers {
        let details = docker.inspect_container(&id, None).await.ok()?;
        let state = details.state.filter(|state| state.running == Some(false));
        if let Some(code) = state.and_then(|state| state.exit_code) {
            let program = details.path.unwrap_or_default();
            return Some(format!("the container of {program} ended with exit code {code}"));
        }
    }
    None
}

pub(super) fn docker_error(error: &impl ToString) -> StartError {
    StartError::Docker(error.to_string())
}

fn no_engine(error: &impl ToString) -> StartError {
    super::unavailable(format!(
        "no docker engine answers ({}); start one, or set DOCKER_HOST to its address",
        error.to_string()
    ))
}

/// Only a process of this boot can be asked for; containers from another machine on the same engine are left alone.
fn is_left_over(labels: &HashMap<String, String>) -> bool {
    let owner = labels.get(OWNER).and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    let ours = labels.get(BOOT).is_some_and(|boot_then| *boot_then == boot());
    ours && owner.is_some_and(|pid| test_kill_process(pid).is_err())
}

fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}/{}", id.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_of_this_boot_have_left_something() {
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let labels = |pid: u32, boot: String| {
            HashMap::from([(OWNER.to_owned(), pid.to_string()), (BOOT.to_owned(), boot)])
        };
        assert!(is_left_over(&labels(ended.id(), boot())));
        assert!(!is_left_over(&labels(std::process::id(), boot())));
        assert!(!is_left_over(&labels(ended.id(), "elsewhere".into())));
        assert!(!is_left_over(&HashMap::new()));
    }
}
