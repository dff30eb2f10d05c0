//! With a key label, nobody but the operator of a namespace takes the owner's finalizer off a resource, and what is deleted comes to its end.

mod attempts;
mod endings;
mod releases;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::super::helm::{Helm, NAMESPACE};
use super::{DEFINITION, Server};

const FINALIZER: &str = "cache.example.com/shard-owner";
/// What the policy says to whoever takes it off.
const REFUSAL: &str = "only the operator takes the finalizer";
/// A merge patch that takes it off.
const STRIP: &str = r#"{"metadata": {"finalizers": null}}"#;
/// Who may edit Memcached resources in the namespaces that say so, and nothing else.
const TENANT: &str = "--as=tenant";
/// A new policy is followed by an informer, and an operator has to start.
const WITHIN: Duration = Duration::from_secs(60);

/// Leaves the API server as it was found.
pub(super) fn check(server: &Server, helm: &Helm) -> Result<()> {
    attempts::check(server, helm).context("what a tenant may try")?;
    releases::check(server, helm).context("two releases side by side")?;
    endings::check(server, helm).context("deletions with the policy in place")
}

/// A file with a resource that has the finalizer, or has none.
fn resource(server: &Server, namespace: &str, name: &str, finalizers: &[&str]) -> Result<String> {
    let path: PathBuf = server.files.path().join(format!("{namespace}-{name}-{}.json", finalizers.len()));
    let metadata = json!({
        "name": name, "namespace": namespace, "labels": {"tenant": "blue"}, "finalizers": finalizers,
    });
    let resource = json!({
        "apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "metadata": metadata,
        "spec": {"replicas": 1},
    });
    fs::write(&path, resource.to_string()).context("a manifest could not be written")?;
    Ok(path.display().to_string())
}

/// Lets the tenant edit Memcached resources in a namespace, subresources included, so that it is not RBAC that keeps them from
/// anything that is tried here.
fn grant(server: &Server, namespace: &str) -> Result<()> {
    let in_namespace = ["--namespace", namespace];
    let resources = "--resource=memcacheds.cache.example.com,memcacheds.cache.example.com/status,\
                     memcacheds.cache.example.com/scale";
    let verbs = "--verb=get,list,create,update,patch,delete,deletecollection";
    server.ask(&[&["create", "role", "tenants", verbs, resources], &in_namespace[..]].concat())?;
    let binding = ["create", "rolebinding", "tenants", "--role=tenants", "--user=tenant"];
    server.ask(&[&binding[..], &in_namespace].concat()).map(drop)
}

fn revoke(server: &Server, namespace: &str) -> Result<()> {
    server.ask(&["delete", "role,rolebinding", "tenants", "--namespace", namespace]).map(drop)
}

/// The request that takes the finalizer off in the shortest way.
fn strip<'a>(namespace: &'a str, name: &'a str, who: &'a str) -> Vec<&'a str> {
    let patch = ["patch", "memcached", name, "--namespace", namespace, "--type=merge", "--patch", STRIP];
    [&patch[..], &[who]].concat()
}

/// Waits until the policy decides in this namespace.
fn is_enforced(server: &Server, namespace: &str, name: &str) -> Result<()> {
    let attempt = [&strip(namespace, name, TENANT)[..], &["--dry-run=server"]].concat();
    until(&format!("the policy to be enforced in {namespace}"), || is_refused(server.ask(&attempt)))
}

/// Waits until no policy decides in this namespace. An informer follows deletions as well, so that one of an earlier release may
/// still be in force for a moment.
fn is_lifted(server: &Server, namespace: &str, name: &str) -> Result<()> {
    let attempt = [&strip(namespace, name, TENANT)[..], &["--dry-run=server"]].concat();
    until(&format!("the former policy to be lifted in {namespace}"), || {
        Ok(!is_refused(server.ask(&attempt))?)
    })
}

/// Whether it was the policy that said no.
fn is_refused(answer: Result<String>) -> Result<bool> {
    match answer {
        Ok(_) => Ok(false),
        Err(error) if format!("{error:#}").contains(REFUSAL) => Ok(true),
        Err(error) => Err(error.context("refused, but not by the policy")),
    }
}

/// Whether the resource is there with its finalizer.
fn has_finalizer(server: &Server, namespace: &str, name: &str) -> Result<bool> {
    let path = "--output=jsonpath={.metadata.finalizers}";
    let get = ["get", "memcached", name, "--namespace", namespace, "--ignore-not-found", path];
    Ok(server.ask(&get)?.contains(FINALIZER))
}

/// The account of a release's operator.
fn operator_of(account: &str) -> String {
    format!("--as=system:serviceaccount:{NAMESPACE}:{account}")
}

fn until(what: &str, mut seen: impl FnMut() -> Result<bool>) -> Result<()> {
    let started = Instant::now();
    while !seen()? {
        if started.elapsed() > WITHIN {
            bail!("timed out after {WITHIN:?} waiting for {what}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Takes release and definition away.
fn uninstall(server: &Server, helm: &Helm, release: &str) -> Result<()> {
    helm.act(&server.kubeconfig, &["uninstall", release])?;
    server.ask(&["delete", "crd", DEFINITION, "--timeout=60s"]).map(drop)
}
