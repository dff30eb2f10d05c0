//! What an etcd and a kube-apiserver of our own are started with, whichever backend runs them.

use std::path::Path;

use crate::error::{StartError, io_error};
use crate::pki::Authority;

/// The audit log's name in its directory.
pub(crate) const AUDIT_LOG: &str = "audit.jsonl";

/// Where one control plane listens and keeps its files, as the programs themselves see it.
pub(crate) struct Endpoints<'a> {
    /// The address to listen on.
    pub(crate) bind: &'a str,
    /// The API server's port.
    pub(crate) port: u16,
    /// etcd's client URL.
    pub(crate) etcd: &'a str,
    /// The directory that [`write_files`] filled.
    pub(crate) files: &'a Path,
    /// Where to write the audit log, if one is wanted.
    pub(crate) audit: Option<&'a Path>,
}

/// Makes an authority, and writes certificates, keys and the audit policy into `dir`.
pub(crate) fn write_files(dir: &Path, audit_reads: bool) -> Result<Authority, StartError> {
    std::fs::create_dir_all(dir).map_err(|error| io_error("create", dir, error))?;
    let authority = Authority::generate()?;
    authority.write_server_files(dir)?;
    let policy = dir.join("audit-policy.yaml");
    let text = if audit_reads {
        include_str!("control_plane/audit-policy-with-reads.yaml")
    } else {
        include_str!("control_plane/audit-policy.yaml")
    };
    std::fs::write(&policy, text).map_err(|error| io_error("write", &policy, error))?;
    Ok(authority)
}

/// The API server's arguments.
pub(crate) fn apiserver_args(endpoints: &Endpoints<'_>, extra: &[String]) -> Vec<String> {
    let file = |name: &str| endpoints.files.join(name).display().to_string();
    let mut args = vec![
        format!("--etcd-servers={}", endpoints.etcd),
        format!("--bind-address={}", endpoints.bind),
        format!("--secure-port={}", endpoints.port),
        // Nobody reaches it through the `kubernetes` service, so its endpoints need not be kept.
        "--advertise-address=127.0.0.1".into(),
        "--endpoint-reconciler-type=none".into(),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        "--authorization-mode=RBAC".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={}", file("service-account.pub")),
        format!("--service-account-signing-key-file={}", file("service-account.key")),
        // Without a controller-manager nobody makes the default service account that this plugin insists on.
        "--disable-admission-plugins=ServiceAccount".into(),
        "--allow-privileged=true".into(),
    ];
    if let Some(audit) = endpoints.audit {
        args.extend([
            format!("--audit-policy-file={}", file("audit-policy.yaml")),
            format!("--audit-log-path={}", audit.display()),
            // Megabytes; one file, as a checker that reads half of the log proves nothing.
            "--audit-log-maxsize=100000".into(),
        ]);
    }
    args.extend_from_slice(extra);
    args
}

/// etcd's arguments. It is one member that forgets everything with its directory, so nothing is synced to disk.
pub(crate) fn etcd_args(data: &str, client: &str, advertised: &str, peer: &str) -> Vec<String> {
    vec![
        format!("--data-dir={data}"),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={advertised}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ]
}
