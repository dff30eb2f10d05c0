//! What is deleted is gone in the end: namespaces and the definition while the operator runs, and everything by the command of the
//! chart's README when it does so no more.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::super::companion::Companion;
use super::super::super::helm::{Helm, NAMESPACE, RELEASE, call};
use super::super::super::{chart, read};
use super::super::{DEFINITION, Server};
use super::FINALIZER;
use crate::cargo::{Features, build_operator};

const PLACE: &str = "doomed";
const NAME: &str = "kept";
/// Which deletes what is in a namespace. On this API server nobody plays it; but what it may do is decided here as elsewhere.
const NAMESPACE_CONTROLLER: &str = "--as=system:serviceaccount:kube-system:namespace-controller";

pub(super) fn check(server: &Server, helm: &Helm) -> Result<()> {
    helm.act(&server.kubeconfig, &["install", RELEASE, ".", "--set", "shardKeyLabel=tenant"])?;
    {
        let _operator = start(server)?;
        namespace(server).context("a namespace, while the operator runs")?;
        definition(server).context("the definition, while the operator runs")?;
    }
    // `crds.keep` means that an upgrade finds nothing amiss; the definition comes with the next release.
    helm.act(&server.kubeconfig, &["uninstall", RELEASE])?;
    helm.act(&server.kubeconfig, &["install", RELEASE, ".", "--set", "shardKeyLabel=tenant"])?;
    without_operator(server, helm).context("once no operator runs")
}

/// The operator, with the rights that the release gives to it.
fn start(server: &Server) -> Result<Companion> {
    let log = server.files.path().join("operator.log");
    let mut command = Command::new(build_operator(Features::All)?);
    command
        .args(["--shards=2", "--preset=fast", "--shard-key-label=tenant"])
        .args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"])
        .env("KUBECONFIG", &server.operator)
        .env("POD_NAME", "operator-0")
        .env("POD_NAMESPACE", NAMESPACE);
    Companion::start_guarded(&command, &log).context("the operator did not start")
}

/// Does what the namespace controller does.
fn namespace(server: &Server) -> Result<()> {
    server.ask(&["create", "namespace", PLACE])?;
    taken_care_of(server)?;
    server.ask(&["delete", "namespace", PLACE, "--wait=false"])?;
    let all = format!("/apis/cache.example.com/v1alpha1/namespaces/{PLACE}/memcacheds");
    server.ask(&["delete", "--raw", &all, NAMESPACE_CONTROLLER])?;
    is_gone(server)?;
    finalize(server)
}

/// The API server itself deletes the resources of a definition that is deleted.
fn definition(server: &Server) -> Result<()> {
    server.ask(&["create", "namespace", PLACE])?;
    taken_care_of(server)?;
    server.ask(&["delete", "crd", DEFINITION, "--timeout=60s"])?;
    server.ask(&["delete", "namespace", PLACE, "--wait=false"])?;
    finalize(server)
}

/// The policy does not let go while the release is there, which it says; once the release is gone, the README's command frees everything.
fn without_operator(server: &Server, helm: &Helm) -> Result<()> {
    let place = "team-a";
    let resource = super::resource(server, place, NAME, &[FINALIZER, "example.com/of-somebody-else"])?;
    server.ask(&["create", "--filename", &resource])?;
    super::until("the policy to be enforced", || {
        let strip = super::strip(place, NAME, "--dry-run=server");
        super::is_refused(server.ask(&strip))
    })?;
    let command = documented()?;
    let refused = run(server, &command);
    ensure!(
        refused.is_err_and(|error| format!("{error:#}").contains("ownerFinalizerPolicy.enabled=false")),
        "who takes the finalizer off while the release is there is not told what to do instead"
    );

    // First of the two ways that the refusal names.
    let without = ["shardKeyLabel=tenant", "ownerFinalizerPolicy.enabled=false"].join(",");
    helm.act(&server.kubeconfig, &["upgrade", RELEASE, ".", "--set", &without])?;
    super::until("the README's command to be let through", || Ok(run(server, &command).is_ok()))?;
    ensure!(!super::has_finalizer(server, place, NAME)?, "the README's command leaves the finalizer");
    let left = server.ask(&[
        "get",
        "memcached",
        NAME,
        "--namespace",
        place,
        "--output=name",
        "--ignore-not-found",
    ])?;
    ensure!(!left.is_empty(), "the README's command deletes what has another finalizer too");
    server.ask(&[
        "patch",
        "memcached",
        NAME,
        "--namespace",
        place,
        "--type=merge",
        "--patch",
        super::STRIP,
    ])?;

    // The second.
    let resource = super::resource(server, place, "left-over", &[FINALIZER])?;
    server.ask(&["create", "--filename", &resource])?;
    helm.act(&server.kubeconfig, &["uninstall", RELEASE])?;
    server.ask(&["delete", "crd", DEFINITION, "--wait=false"])?;
    super::until("the README's command to be let through", || Ok(run(server, &command).is_ok()))?;
    server.ask(&["wait", "--for=delete", "crd", DEFINITION, "--timeout=60s"]).map(drop)
}

/// The last thing that the namespace controller does.
fn finalize(server: &Server) -> Result<()> {
    let mut namespace: Value =
        serde_json::from_str(&server.ask(&["get", "namespace", PLACE, "--output=json"])?)
            .context("kubectl printed no JSON")?;
    namespace["spec"]["finalizers"] = json!([]);
    let file = server.files.path().join("finalized.json");
    fs::write(&file, namespace.to_string()).context("a manifest could not be written")?;
    let finalize = format!("/api/v1/namespaces/{PLACE}/finalize");
    let file = file.display().to_string();
    server.ask(&["replace", "--raw", &finalize, "--filename", &file, NAMESPACE_CONTROLLER])?;
    server.ask(&["wait", "--for=delete", "namespace", PLACE, "--timeout=30s"]).map(drop)
}

/// A resource that the operator works on, and has put its finalizer on.
fn taken_care_of(server: &Server) -> Result<()> {
    let resource = super::resource(server, PLACE, NAME, &[])?;
    // A definition or a namespace that was just made is known a little later.
    super::until("a resource to be created", || {
        Ok(server.ask(&["create", "--filename", &resource]).is_ok())
    })?;
    super::until("the operator to put its finalizer on", || super::has_finalizer(server, PLACE, NAME))
        .with_context(|| log(server))?;
    super::until("the operator to work on it", || {
        let child = ["get", "statefulset", NAME, "--namespace", PLACE, "--ignore-not-found", "--output=name"];
        Ok(!server.ask(&child)?.is_empty())
    })
    .with_context(|| log(server))
}

fn is_gone(server: &Server) -> Result<()> {
    let get = ["get", "memcacheds", "--namespace", PLACE, "--output=name"];
    super::until("the deleted resource to be gone", || Ok(server.ask(&get)?.is_empty()))
        .with_context(|| log(server))
}

fn log(server: &Server) -> String {
    let log = fs::read_to_string(server.files.path().join("operator.log")).unwrap_or_default();
    format!("the operator's log:\n{log}")
}

/// The command that the README gives for the time after the operator.
fn documented() -> Result<String> {
    let readme = read(&chart().join("README.md"))?;
    let blocks = readme.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let command = blocks.into_iter().find(|block| block.contains(FINALIZER) && block.contains("jq"));
    Ok(command.context("the chart's README no longer says how to take the finalizer off")?.to_owned())
}

fn run(server: &Server, command: &str) -> Result<()> {
    let mut shell = Command::new("bash");
    let kubectl = server.kubectl.parent().context("kubectl is in no directory")?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(kubectl.to_owned()).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(dirs).context("PATH cannot be extended")?;
    shell.args(["-o", "pipefail", "-c", command]).env("PATH", path).env("KUBECONFIG", &server.kubeconfig);
    call(shell).map(drop)
}
