//! A release is installed, upgraded, uninstalled without loss, and installed again.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::super::helm::{Helm, NAMESPACE, RELEASE, call};
use super::super::{VALUES, chart, read};
use super::{DEFINITION, Server};
use crate::cargo::root;

/// What kubectl calls a Memcached for short, in the definition as it is and in one as it might have been.
const SHORT_NAMES: [&str; 2] = ["- mc\n", "- older\n"];
/// Leader election off.
const ALONE: &str = "tests/values/alone.yaml";
/// Where users keep their resources.
const USERS: &str = "team-a";

/// Leaves the API server as it was found.
pub(super) fn check(server: &Server, helm: &Helm) -> Result<()> {
    live(server, helm).with_context(|| format!("the life of a release with Helm {}", helm.version()))
}

fn live(server: &Server, helm: &Helm) -> Result<()> {
    let act = |args: &[&str]| helm.act(&server.kubeconfig, args);
    act(&["install", RELEASE, &older_chart(server)?])?;
    definition_has(server, SHORT_NAMES[1])?;
    let first = definition(server, "{.metadata.uid}")?;
    let sample = root().join("deploy/sample.yaml").display().to_string();
    server.ask(&["apply", "--namespace", USERS, "--filename", &sample])?;

    // Through every set of values and back; some of them leave the definition to others.
    for values in VALUES.iter().chain([&VALUES[0]]) {
        act(&["upgrade", RELEASE, ".", "--values", values]).with_context(|| format!("to {values}"))?;
        if *values == ALONE {
            // There is no way from there to more replicas but by one that goes by Leases.
            act(&["upgrade", RELEASE, ".", "--reset-values", "--set", "replicas=1"])?;
        }
    }
    definition_has(server, SHORT_NAMES[0])?;
    strangers_never_meet(server, helm)?;

    act(&["uninstall", RELEASE])?;
    let left =
        server.ask(&["get", "deployments,roles,services", "--namespace", NAMESPACE, "--output", "name"])?;
    if !left.is_empty() {
        bail!(
            "the release is gone and left behind: {}",
            left.split_whitespace().collect::<Vec<_>>().join(", ")
        );
    }
    // An object that is about to be deleted is still there for a while, with the instant of its deletion.
    if definition(server, "{.metadata.uid}{.metadata.deletionTimestamp}")? != first {
        bail!("the definition {DEFINITION} was deleted on the way, and with it all of its resources");
    }
    server
        .ask(&["get", "memcached", "sessions", "--namespace", USERS])
        .context("a user's resource did not outlive the release")?;

    // It finds the definition that it left.
    act(&["install", RELEASE, "."])?;
    act(&["uninstall", RELEASE])?;
    server.ask(&["delete", "crd", DEFINITION]).map(drop)
}

/// Replicas that go by other Leases than those before them are started after the end of those; all others are rolled over.
fn strangers_never_meet(server: &Server, helm: &Helm) -> Result<()> {
    let steps: [(&[&str], &str); 6] = [
        (&[], "RollingUpdate"),
        (&["leaderElection.id=other.example.com"], "Recreate"),
        (&["leaderElection.id=other.example.com"], "RollingUpdate"),
        (&["leaderElection.enabled=false", "replicas=1"], "Recreate"),
        (&["replicas=1"], "Recreate"),
        (&[], "RollingUpdate"),
    ];
    for (number, (settings, expected)) in (1..).zip(steps) {
        let mut args = vec!["upgrade", RELEASE, ".", "--reset-values"];
        args.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        helm.act(&server.kubeconfig, &args)?;
        let name = server.ask(&["get", "deployments", "--namespace", NAMESPACE, "--output", "name"])?;
        let strategy = ["--namespace", NAMESPACE, "--output", "jsonpath={.spec.strategy.type}"];
        let strategy = server.ask(&[&["get", name.trim()], &strategy[..]].concat())?;
        if strategy != expected {
            bail!("upgrade {number}, with {settings:?}: the strategy is {strategy} and should be {expected}");
        }
    }
    Ok(())
}

/// A copy of the chart with another definition of Memcached.
fn older_chart(server: &Server) -> Result<String> {
    let copy = server.files.path().join("older");
    let mut copying = Command::new("cp");
    copying.arg("-R").arg(chart()).arg(&copy);
    if !copy.exists() {
        call(copying)?;
    }
    let file = copy.join("files/crd.yaml");
    let [present, older] = SHORT_NAMES;
    fs::write(&file, read(&file)?.replace(present, older))
        .with_context(|| format!("{} could not be written", file.display()))?;
    Ok(copy.display().to_string())
}

fn definition_has(server: &Server, short_name: &str) -> Result<()> {
    let found = definition(server, "- {.spec.names.shortNames[0]}\n")?;
    if found != short_name {
        bail!("the definition is not the chart's: its short name is {found:?} and should be {short_name:?}");
    }
    Ok(())
}

fn definition(server: &Server, path: &str) -> Result<String> {
    server.ask(&["get", "crd", DEFINITION, "--output", &format!("jsonpath={path}")])
}
