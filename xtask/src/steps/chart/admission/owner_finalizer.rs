//! With a key label, a tenant cannot take the owner's finalizer off a resource, by whatever means; the operator can.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::super::helm::{Helm, NAMESPACE, RELEASE};
use super::{DEFINITION, Server};

const TENANTS: &str = "team-a";
const FINALIZER: &str = "cache.example.com/shard-owner";
/// A new policy is followed by an informer.
const WITHIN: Duration = Duration::from_secs(30);

/// Leaves the API server as it was found.
pub(super) fn check(server: &Server, helm: &Helm) -> Result<()> {
    helm.act(&server.kubeconfig, &["install", RELEASE, ".", "--set", "shardKeyLabel=tenant"])?;
    let file = |name: &str, finalizers: &[&str]| -> Result<String> {
        let path = server.files.path().join(name);
        let resource = json!({
            "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "spec": {},
            "metadata": {"name": "kept", "namespace": TENANTS, "finalizers": finalizers},
        });
        fs::write(&path, resource.to_string()).context("a manifest could not be written")?;
        Ok(path.display().to_string())
    };
    let (with, without) = (file("with.json", &[FINALIZER])?, file("without.json", &[])?);
    server.ask(&["create", "--filename", &with])?;

    let patch = ["patch", "memcached", "kept", "--namespace", TENANTS, "--type=merge", "--patch"];
    let strip = [&patch[..], &["{\"metadata\": {\"finalizers\": null}}"]].concat();
    let by_json = ["patch", "memcached", "kept", "--namespace", TENANTS, "--type=json", "--patch"];
    let by_json = [&by_json[..], &["[{\"op\": \"remove\", \"path\": \"/metadata/finalizers\"}]"]].concat();
    let as_tenant = |args: &[&str]| {
        // Of no group that may do everything; what is asked here is the policy, not RBAC, so the rights are given.
        let as_user = [args, &["--as=tenant", "--dry-run=server"]].concat();
        server.ask(&as_user).map(drop)
    };
    let rights = ["create", "clusterrolebinding", "tenants", "--clusterrole=cluster-admin", "--user=tenant"];
    server.ask(&rights)?;

    let started = Instant::now();
    while as_tenant(&strip).is_ok() {
        if started.elapsed() > WITHIN {
            bail!("waited {WITHIN:?} for the policy to keep a tenant from taking the finalizer off");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let attempts: [(&str, &[&str]); 4] = [
        ("a merge patch", &strip),
        ("a JSON patch", &by_json),
        ("replace", &["replace", "--filename", &without]),
        ("apply", &["apply", "--server-side", "--force-conflicts", "--filename", &without]),
    ];
    for (means, args) in attempts {
        let applies = means == "apply";
        match as_tenant(args) {
            Err(error) if format!("{error:#}").contains("only the operator takes the finalizer") => {}
            // An apply removes only what its own manager had applied, so the finalizer stays and nothing is refused.
            Ok(()) if applies => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{means} was refused for another reason"));
            }
            Ok(()) => bail!("a tenant can take the finalizer off by {means}"),
        }
    }
    as_tenant(&[&patch[..], &["{\"metadata\": {\"labels\": {\"a\": \"b\"}}}"]].concat())
        .context("a tenant may edit everything else")?;
    let operator = format!("--as=system:serviceaccount:{NAMESPACE}:{RELEASE}");
    server.ask(&[&strip[..], &[&operator]].concat()).context("the operator may take it off")?;

    server.ask(&["delete", "memcached", "kept", "--namespace", TENANTS, "--timeout=30s"])?;
    server.ask(&["delete", "clusterrolebinding", "tenants"])?;
    helm.act(&server.kubeconfig, &["uninstall", RELEASE])?;
    server.ask(&["delete", "crd", DEFINITION]).map(drop)
}
