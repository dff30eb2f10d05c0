//! A running API server, and how to reach it.

mod ready;

use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;

use crate::access::Access;
use crate::backend::{Backend, Backup, ProcessIds, auto, embedded, existing, local};
use crate::choice::BackendChoice;
use crate::error::{OperationError, StartError, io_error};
use crate::guard::WorkDir;
use crate::kinds::{self, AddKindsError};
use crate::options::ClusterOptions;
use crate::proxy::Proxy;
use crate::user::TestUser;

/// A running API server. Dropping it ends everything that was started for it, and blocks until it has ended.
///
/// It is independent of async runtimes. Its clients belong to a runtime, like all of kube's: create one in each runtime.
#[must_use = "the API server ends when the cluster is dropped; keep it for as long as it is needed"]
pub struct Cluster {
    backend: Box<dyn Backend>,
    access: Access,
    options: ClusterOptions,
    /// Dropped last, when no program writes into it any more.
    dir: WorkDir,
}

impl Cluster {
    /// Starts a control plane, or connects to the existing one, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// If the control plane could not be started. [`StartError::is_unavailable`] says whether something is missing on this machine.
    pub async fn start(options: ClusterOptions) -> Result<Self, StartError> {
        let choice = match options.backend {
            Some(choice) => choice,
            None => BackendChoice::from_env()?,
        };
        if choice != BackendChoice::Auto {
            return Self::start_as(choice, &options).await;
        }
        let mut reasons = Vec::new();
        for (choice, why) in auto::candidates().await? {
            match Self::start_as(choice, &options).await {
                Err(error) if error.is_unavailable() => reasons.push(error.to_string()),
                Ok(cluster) => {
                    tracing::info!(backend = %choice, why, "took a backend");
                    eprintln!("kube-testkit: auto took the {choice} backend, as {why}");
                    return Ok(cluster);
                }
                Err(error) => return Err(error),
            }
        }
        Err(StartError::NoneAvailable { reasons })
    }

    async fn start_as(choice: BackendChoice, options: &ClusterOptions) -> Result<Self, StartError> {
        const ATTEMPTS: usize = 3;
        let mut attempt = 1;
        loop {
            match Self::start_once(choice, options).await {
                // Between finding a free port and listening on it, somebody else took it.
                Err(error) if attempt < ATTEMPTS && port_taken(&error) => {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    async fn start_once(choice: BackendChoice, options: &ClusterOptions) -> Result<Self, StartError> {
        let temp = std::env::temp_dir();
        let dir = WorkDir::create().map_err(|error| io_error("make a work directory in", &temp, error))?;
        let (backend, access): (Box<dyn Backend>, Access) = match choice {
            BackendChoice::Auto | BackendChoice::Local => {
                let (backend, access) = local::start(options, &dir).await?;
                (Box::new(backend), access)
            }
            BackendChoice::Existing => {
                let (backend, access) = existing::start(&options.existing).await?;
                (Box::new(backend), access)
            }
            BackendChoice::Embedded => {
                let (backend, access) = embedded::start(options, &dir)?;
                (Box::new(backend), access)
            }
            #[cfg(feature = "testcontainers")]
            BackendChoice::Testcontainers => {
                let (backend, access) = crate::backend::testcontainers::start(options, &dir).await?;
                (Box::new(backend), access)
            }
            #[cfg(not(feature = "testcontainers"))]
            BackendChoice::Testcontainers => return Err(crate::backend::no_testcontainers()),
        };
        let cluster = Self { backend, access, options: options.clone(), dir };
        cluster.await_ready().await?;
        Ok(cluster)
    }

    /// Which backend runs it; never [`BackendChoice::Auto`].
    pub fn backend(&self) -> BackendChoice {
        self.backend.choice()
    }

    /// The address of the API server.
    pub fn server(&self) -> http::Uri {
        self.backend.server()
    }

    /// A directory for files of the test. It is removed with the cluster.
    pub fn dir(&self) -> &WorkDir {
        &self.dir
    }

    /// A client configuration for this user, with kube's own defaults, like an in-cluster configuration or a kubeconfig.
    pub fn config(&self, user: &TestUser) -> kube::Config {
        self.access.config(self.server(), user)
    }

    /// The same, but connecting through a [`proxy`](Self::proxy).
    pub fn config_via(&self, proxy: &Proxy, user: &TestUser) -> kube::Config {
        self.access.config(local::local_uri(proxy.port()), user)
    }

    /// A new [`Proxy`] in front of the API server.
    ///
    /// # Errors
    ///
    /// If no port is available.
    pub fn proxy(&self) -> Result<Proxy, StartError> {
        let server = self.server();
        let upstream =
            format!("{}:{}", server.host().unwrap_or("127.0.0.1"), server.port_u16().unwrap_or(443));
        Proxy::start(upstream)
            .map_err(|error| io_error("start a proxy in front of", server.to_string().as_ref(), error))
    }

    /// A client for this user. It belongs to the async runtime within which it is made.
    ///
    /// # Panics
    ///
    /// Outside of an async runtime.
    pub fn client(&self, user: &TestUser) -> Client {
        Client::try_from(self.config(user)).expect("a configuration made here is complete")
    }

    /// A client for [`TestUser::admin`].
    pub fn admin(&self) -> Client {
        self.client(&TestUser::admin())
    }

    /// Adds kinds by their definitions, or replaces older ones, and waits until they are served. For a kind whose definition nobody has, such as an aggregated one, take
    /// [`definitions_of_open_api`](crate::definitions_of_open_api).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let document = serde_json::json!({
    /// #   "components": {"schemas": {"dev.certs.v1.Certificate": {
    /// #     "type": "object",
    /// #     "properties": {"spec": {"type": "object", "properties": {"host": {"type": "string"}}}},
    /// #     "x-kubernetes-group-version-kind": [{"group": "certs.dev", "version": "v1", "kind": "Certificate"}],
    /// #   }}},
    /// #   "paths": {"/apis/certs.dev/v1/namespaces/{namespace}/certificates": {"post": {
    /// #     "x-kubernetes-group-version-kind": {"group": "certs.dev", "version": "v1", "kind": "Certificate"},
    /// #   }}},
    /// # });
    /// // `document` is what `kubectl get --raw /openapi/v3/apis/certs.dev/v1` prints.
    /// let env = kube_testkit::embedded().await;
    /// env.add_kinds(&kube_testkit::definitions_of_open_api(&document)?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the API server refuses a definition, or does not serve its kind within 30 s.
    pub async fn add_kinds(&self, definitions: &[CustomResourceDefinition]) -> Result<(), AddKindsError> {
        kinds::add(self.admin(), definitions).await
    }

    /// Writes a kubeconfig for this user into the work directory, for `kubectl` and child processes.
    ///
    /// # Errors
    ///
    /// If the file could not be written.
    pub fn kubeconfig(&self, user: &TestUser) -> Result<PathBuf, StartError> {
        self.write_kubeconfig(&self.server(), user)
    }

    /// The same, but connecting through a [`proxy`](Self::proxy).
    ///
    /// # Errors
    ///
    /// If the file could not be written.
    pub fn kubeconfig_via(&self, proxy: &Proxy, user: &TestUser) -> Result<PathBuf, StartError> {
        self.write_kubeconfig(&local::local_uri(proxy.port()), user)
    }

    fn write_kubeconfig(&self, server: &http::Uri, user: &TestUser) -> Result<PathBuf, StartError> {
        let safe: String =
            user.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let port = server.port_u16().unwrap_or(443);
        let path = self.dir.path().join(format!("kubeconfig-{safe}-{port}-{:08x}", fastrand::u32(..)));
        let text = serde_json::to_string_pretty(&self.access.kubeconfig(server, user))
            .expect("a kubeconfig is plain data");
        std::fs::write(&path, text).map_err(|error| io_error("write", &path, error))?;
        Ok(path)
    }

    /// The audit log: JSON lines, one `Event` of `audit.k8s.io/v1` for each write that was answered.
    pub fn audit_log(&self) -> Option<PathBuf> {
        self.backend.audit_log()
    }

    /// The API server's own log, if it is available.
    pub fn server_log(&self) -> Option<PathBuf> {
        self.backend.server_log()
    }

    /// The process ids of kube-apiserver and etcd, if they run as processes on this machine (`local`). A restart changes them.
    pub fn process_ids(&self) -> Option<ProcessIds> {
        self.backend.process_ids()
    }

    /// Kills the API server without warning, starts it again on the same data and port, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`OperationError::Unsupported`] on `existing`.
    pub async fn restart_api_server(&self) -> Result<(), OperationError> {
        self.backend.restart().await?;
        Ok(self.await_ready().await?)
    }

    /// Stops the API server where it stands: connections stay open and nothing is answered until
    /// [`resume_api_server`](Self::resume_api_server).
    ///
    /// # Errors
    ///
    /// [`OperationError::Unsupported`] on `existing`.
    pub async fn pause_api_server(&self) -> Result<(), OperationError> {
        self.backend.pause().await
    }

    /// Lets a paused API server go on.
    ///
    /// # Errors
    ///
    /// [`OperationError::Unsupported`] on `existing`.
    pub async fn resume_api_server(&self) -> Result<(), OperationError> {
        self.backend.resume().await
    }

    /// Takes a backup of etcd's whole state while the control plane runs. etcd stands still for as long as the copy takes.
    ///
    /// # Errors
    ///
    /// [`OperationError::Unsupported`] on all backends but `local`.
    pub async fn back_up(&self) -> Result<Backup, OperationError> {
        self.backend.back_up().await
    }

    /// Ends the API server and etcd, puts the state of a backup back after `down_for`, starts both again on the same ports with the
    /// same certificates, and waits until the API server is ready. resourceVersions go backwards with it.
    ///
    /// # Errors
    ///
    /// [`OperationError::Unsupported`] on all backends but `local`.
    pub async fn restore(&self, backup: &Backup, down_for: Duration) -> Result<(), OperationError> {
        self.backend.restore(backup.clone(), down_for).await?;
        Ok(self.await_ready().await?)
    }

    /// Stops everything that was started. Unlike dropping, this does not block the runtime.
    pub async fn stop(self) {
        // Should the runtime be shutting down, the value is dropped all the same.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }

    async fn await_ready(&self) -> Result<(), StartError> {
        ready::await_ready(&self.admin(), self.backend.as_ref(), self.options.ready_within).await
    }
}

/// As Go's listener and docker say it.
fn port_taken(error: &StartError) -> bool {
    let text = error.to_string();
    ["address already in use", "port is already allocated"].iter().any(|sign| text.contains(sign))
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("backend", &self.backend()).field("server", &self.server()).finish()
    }
}
