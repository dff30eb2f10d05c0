//! The two containers of a control plane.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use testcontainers::bollard::models::PortBinding;
use testcontainers::core::client::ClientError;
use testcontainers::core::logs::LogFrame;
use testcontainers::core::logs::consumer::LogConsumer;
use testcontainers::core::{IntoContainerPort as _, Mount};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt as _, TestcontainersError};

use super::docker::{self, docker_error, labels};
use crate::control_plane::{AUDIT_LOG, Endpoints, apiserver_args, etcd_args};
use crate::error::{StartError, io_error};
use crate::options::ClusterOptions;
use crate::versions;

/// The API server's port within its container.
const PORT: u16 = 6443;
/// Where the API server's container sees keys, certificates and the audit policy.
const FILES: &str = "/etc/kube-testkit";
/// Where it sees the directory of the audit log.
const AUDIT: &str = "/var/log/kube-testkit";

/// What to start.
pub(super) struct Plan {
    home: PathBuf,
    port: u16,
    audit: bool,
    extra: Vec<String>,
}

/// The running containers.
pub(super) struct Pair {
    etcd: ContainerAsync<GenericImage>,
    apiserver: ContainerAsync<GenericImage>,
}

impl Plan {
    /// Prepares the log directory in `home`, which [`write_files`](crate::control_plane::write_files) has filled.
    pub(super) fn new(home: &Path, port: u16, options: &ClusterOptions) -> Result<Self, StartError> {
        let extra = options.api_server_args.clone();
        let plan = Self { home: home.to_owned(), port, audit: options.audit, extra };
        let dir = plan.audit_dir();
        std::fs::create_dir(&dir).map_err(|error| io_error("create", &dir, error))?;
        // The container's root would make it unreadable for this user; an existing file keeps its owner.
        let log = dir.join(AUDIT_LOG);
        std::fs::write(&log, "").map_err(|error| io_error("write", &log, error))?;
        Ok(plan)
    }

    pub(super) fn audit_log(&self) -> Option<PathBuf> {
        self.audit.then(|| self.audit_dir().join(AUDIT_LOG))
    }

    pub(super) fn server_log(&self) -> PathBuf {
        self.home.join("kube-apiserver.log")
    }

    fn audit_dir(&self) -> PathBuf {
        self.home.join("audit")
    }

    fn etcd(&self) -> ContainerRequest<GenericImage> {
        let all = "http://0.0.0.0:2379";
        let args = etcd_args("/var/lib/etcd", all, all, "http://127.0.0.1:2380");
        let image = image("KUBE_TESTKIT_ETCD_IMAGE", versions::ETCD_IMAGE).with_entrypoint("etcd");
        request(image, args).with_log_consumer(file_log(&self.home.join("etcd.log")))
    }

    fn apiserver(&self, etcd: &str) -> Result<ContainerRequest<GenericImage>, StartError> {
        let audit = Path::new(AUDIT).join(AUDIT_LOG);
        let endpoints = Endpoints {
            bind: "0.0.0.0",
            port: PORT,
            etcd,
            files: Path::new(FILES),
            audit: self.audit.then_some(&audit),
        };
        let image = image("KUBE_TESTKIT_APISERVER_IMAGE", &versions::apiserver_image()?)
            .with_entrypoint("kube-apiserver")
            .with_exposed_port(PORT.tcp());
        let host_port = self.port;
        let mut request = request(image, apiserver_args(&endpoints, &self.extra))
            .with_log_consumer(file_log(&self.server_log()))
            .with_mount(Mount::bind_mount(self.audit_dir().display().to_string(), AUDIT))
            // A port of docker's choice would be another one after a restart.
            .with_host_config_modifier(move |host| {
                let binding =
                    PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(host_port.to_string()) };
                host.publish_all_ports = Some(false);
                host.port_bindings = Some([(format!("{PORT}/tcp"), Some(vec![binding]))].into());
            });
        let entries = std::fs::read_dir(&self.home).map_err(|error| io_error("list", &self.home, error))?;
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let content = std::fs::read(&path).map_err(|error| io_error("read", &path, error))?;
            request = request.with_copy_to(format!("{FILES}/{name}"), content);
        }
        Ok(request)
    }
}

impl Pair {
    pub(super) async fn start(plan: Plan) -> Result<Self, StartError> {
        let etcd = plan.etcd().start().await.map_err(|error| start_error(&error))?;
        let address = docker::address_of(etcd.id()).await?;
        let request = plan.apiserver(&format!("http://{address}:2379"))?;
        let apiserver = request.start().await.map_err(|error| start_error(&error))?;
        Ok(Self { etcd, apiserver })
    }

    /// etcd's and the API server's container, in this order.
    pub(super) fn ids(&self) -> [String; 2] {
        [self.etcd.id().to_owned(), self.apiserver.id().to_owned()]
    }

    pub(super) async fn remove(self) {
        for container in [self.apiserver, self.etcd] {
            if let Err(error) = container.rm().await {
                tracing::warn!(%error, "a container could not be removed; the next start of this backend tries again");
            }
        }
    }
}

fn image(variable: &str, pinned: &str) -> GenericImage {
    let reference = std::env::var(variable).ok().filter(|value| !value.is_empty());
    let reference = reference.as_deref().unwrap_or(pinned);
    let (name, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
    GenericImage::new(name, tag)
}

fn request(image: GenericImage, args: Vec<String>) -> ContainerRequest<GenericImage> {
    const STARTUP: Duration = Duration::from_secs(60);
    image.with_cmd(args).with_labels(labels()).with_startup_timeout(STARTUP)
}

/// Writes what a container logs into a file, where an error message can show the end of it.
fn file_log(path: &Path) -> impl LogConsumer + use<> {
    let file = OpenOptions::new().create(true).append(true).open(path).ok().map(Mutex::new);
    move |frame: &LogFrame| {
        if let Some(mut file) = file.as_ref().and_then(|file| file.lock().ok()) {
            let _ = file.write_all(frame.bytes());
        }
    }
}

/// An image that is neither here nor to be had is a reason to skip; anything else is a failure.
fn start_error(error: &TestcontainersError) -> StartError {
    match error {
        TestcontainersError::Client(ClientError::PullImage { descriptor, err }) => {
            super::unavailable(format!(
                "docker has no image {descriptor} and could not pull it ({err}); load it, or name another with \
             KUBE_TESTKIT_APISERVER_IMAGE or KUBE_TESTKIT_ETCD_IMAGE"
            ))
        }
        other => docker_error(other),
    }
}
