//! `testcontainers`: etcd and kube-apiserver from their official images, in docker.
//!
//! The containers go when the cluster is dropped. When this process dies without that (Ctrl-C, SIGKILL, a cluster in a
//! static) a guardian calls `docker rm` for them; on a machine without the `docker` command they stay until the next
//! start of this backend, which removes the containers of processes that are no more.

mod docker;
mod pair;

use std::path::PathBuf;

use futures::future::BoxFuture;
use testcontainers::bollard::query_parameters::KillContainerOptions;

use self::docker::docker_error;
use self::pair::Pair;
use super::Backend;
use super::local::local_uri;
use crate::access::Access;
use crate::choice::BackendChoice;
use crate::control_plane::write_files;
use crate::error::{OperationError, StartError, io_error};
use crate::guard::WorkDir;
use crate::guard::exit_command::ExitCommand;
use crate::options::ClusterOptions;
use crate::ports;

/// A running control plane in docker.
pub(crate) struct Testcontainers {
    pair: Option<Pair>,
    apiserver: String,
    port: u16,
    audit: Option<PathBuf>,
    log: PathBuf,
    /// Dropped after the containers are gone, and then not needed. None where there is no docker command.
    _exit_command: Option<ExitCommand>,
}

/// Whether a docker engine answers.
pub(crate) async fn probe() -> Result<(), StartError> {
    docker::run(async { docker::engine().await.map(drop) }).await
}

/// Starts both containers, pulling the images if need be, and does not wait for the API server.
pub(crate) async fn start(
    options: &ClusterOptions,
    dir: &WorkDir,
) -> Result<(Testcontainers, Access), StartError> {
    let home = tempfile::tempdir_in(dir.path()).map_err(|error| io_error("use", dir.path(), error))?.keep();
    let authority = write_files(&home, options.audit_reads)?;
    let port = ports::free(1).map_err(|error| io_error("find a port for", &home, error))?[0];
    let plan = pair::Plan::new(&home, port, options)?;
    let (audit, log) = (plan.audit_log(), plan.server_log());
    let pair = docker::run(async move {
        docker::remove_leftovers(&docker::engine().await?).await?;
        Pair::start(plan).await
    })
    .await?;
    let ids = pair.ids();
    let rm = ["docker", "rm", "--force", "--volumes"].into_iter().map(String::from).chain(ids.clone());
    let exit_command = crate::binaries::in_path("docker").and_then(|_| ExitCommand::new(rm).ok());
    let apiserver = ids[1].clone();
    let backend =
        Testcontainers { pair: Some(pair), apiserver, port, audit, log, _exit_command: exit_command };
    Ok((backend, Access::Certificates(Box::new(authority))))
}

impl Testcontainers {
    async fn on_engine<T: Send + 'static, F>(
        &self,
        operation: impl FnOnce(testcontainers::bollard::Docker, String) -> F + Send + 'static,
    ) -> Result<T, OperationError>
    where
        F: Future<Output = Result<T, testcontainers::bollard::errors::Error>> + Send,
    {
        let id = self.apiserver.clone();
        let done = docker::run(async move {
            let docker = docker::engine().await?;
            operation(docker, id).await.map_err(|error| docker_error(&error))
        });
        Ok(done.await?)
    }
}

impl Backend for Testcontainers {
    fn choice(&self) -> BackendChoice {
        BackendChoice::Testcontainers
    }

    fn server(&self) -> http::Uri {
        local_uri(self.port)
    }

    fn audit_log(&self) -> Option<PathBuf> {
        self.audit.clone()
    }

    fn server_log(&self) -> Option<PathBuf> {
        Some(self.log.clone())
    }

    fn dead(&self) -> BoxFuture<'_, Option<String>> {
        let ids = self.pair.as_ref().map(Pair::ids).into_iter().flatten().collect();
        Box::pin(async {
            // An engine that does not answer is told by whoever asks it for something.
            docker::run(async { Ok(docker::ended(ids).await) }).await.ok().flatten()
        })
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(async {
            self.on_engine(|docker, id| async move {
                let kill = KillContainerOptions { signal: "SIGKILL".into() };
                docker.kill_container(&id, Some(kill)).await?;
                // Waits for a container that has ended already no time at all; its exit code arrives as an error.
                let mut ended = std::pin::pin!(docker.wait_container(&id, None));
                let _ = futures::StreamExt::next(&mut ended).await;
                docker.start_container(&id, None).await
            })
            .await
        })
    }

    fn pause(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(self.on_engine(|docker, id| async move { docker.pause_container(&id).await }))
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Box::pin(self.on_engine(|docker, id| async move { docker.unpause_container(&id).await }))
    }
}

impl Drop for Testcontainers {
    fn drop(&mut self) {
        if let Some(pair) = self.pair.take() {
            docker::run_blocking(pair.remove());
        }
    }
}

fn unavailable(reason: String) -> StartError {
    StartError::Unavailable { backend: BackendChoice::Testcontainers, reason }
}
