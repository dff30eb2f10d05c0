//! Whether the API server puts the operator's Lease requests, and no others, into the level that was made for them.
//!
//! What that is worth under overload is not tested.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::helm::{Helm, NAMESPACE, RELEASE};
use super::{DEFINITION, Server};

/// The set of values with everything in it.
const EVERYTHING: &str = "tests/values/everything.yaml";
/// The header in which the API server says by which FlowSchema it took a request.
const TAKEN_BY: &str = "x-kubernetes-pf-flowschema-uid: ";
/// A new FlowSchema is followed by an informer.
const WITHIN: Duration = Duration::from_secs(30);

/// Leaves the API server as it was found.
pub(super) fn check(server: &Server, helm: &Helm) -> Result<()> {
    helm.act(&server.kubeconfig, &["install", RELEASE, ".", "--values", EVERYTHING])?;
    let selector = format!("--selector=app.kubernetes.io/instance={RELEASE}");
    let own = server.ask(&["get", "flowschemas", &selector, "--output=jsonpath={.items[*].metadata.uid}"])?;

    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases");
    let started = Instant::now();
    while taken_by(server, &leases)? != own {
        if started.elapsed() > WITHIN {
            bail!(
                "timed out after {WITHIN:?} waiting for the operator's Lease requests to be taken by its FlowSchema"
            );
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    if taken_by(server, "/apis/apps/v1/statefulsets")? == own {
        bail!("the operator's FlowSchema takes more than its Lease requests");
    }

    helm.act(&server.kubeconfig, &["uninstall", RELEASE])?;
    server.ask(&["delete", "crd", DEFINITION]).map(drop)
}

/// The uid of the FlowSchema that a request of the operator's falls to.
fn taken_by(server: &Server, path: &str) -> Result<String> {
    let operator = format!("--as=system:serviceaccount:{NAMESPACE}:{RELEASE}");
    let output = server.run(&["get", "--raw", path, &operator, "--v=8"])?;
    let log = String::from_utf8_lossy(&output.stderr).to_lowercase();
    let (_, uid) = log
        .rsplit_once(TAKEN_BY)
        .context("the API server does not say by which FlowSchema it took a request")?;
    Ok(uid.chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').collect())
}
