//! What the chart says about the operator, compared with the operator and with the rights that its tests run with.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::helm::Helm;
use super::{CHART, VALUES, chart, read};
use crate::cargo::{Features, build_operator, root};

const RBAC: &str = "deploy/rbac.yaml";
/// Where the timings of the presets stand.
const TIMINGS: &str = "templates/_timings.tpl";
/// The operator's exit code for settings that it refuses.
const REFUSED: i32 = 2;

/// Checks what both versions of Helm make of the chart.
pub(super) fn check(helms: &[Helm; 2]) -> Result<()> {
    let operator = build_operator(Features::All)?;
    let operator = || Command::new(&operator);
    for values in VALUES {
        let objects = helms[0].objects(values)?;
        if by_name(&objects) != by_name(&helms[1].objects(values)?) {
            bail!(
                "Helm {} and {} make different objects of {values}",
                helms[0].version(),
                helms[1].version()
            );
        }
        rights_are_those_of_the_tests(&objects).with_context(|| format!("with {values}"))?;
        settings_are_taken(operator(), &objects).with_context(|| format!("with {values}"))?;
        grace_period_outlasts_the_shutdown(operator(), values, &objects)
            .with_context(|| format!("with {values}"))?;
    }
    presets_are_the_operators(operator())
}

fn by_name(objects: &[Value]) -> BTreeMap<String, &Value> {
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        format!("{}/{}/{}", object["kind"], metadata["namespace"], metadata["name"])
    };
    objects.iter().map(|object| (name(object), object)).collect()
}

/// Each set of rules in the chart is one of deploy/rbac.yaml, which the operator's own tests run with.
fn rights_are_those_of_the_tests(objects: &[Value]) -> Result<()> {
    let tested: Vec<Value> = serde_saphyr::from_multiple(&read(&root().join(RBAC))?)
        .with_context(|| format!("{RBAC} is not what it should be"))?;
    let is_role = |object: &&Value| matches!(object["kind"].as_str(), Some("Role" | "ClusterRole"));
    let tested: Vec<_> = tested.iter().filter(is_role).map(rules).collect();
    for role in objects.iter().filter(is_role) {
        if !tested.contains(&rules(role)) {
            bail!(
                "the rules of {} {} are in no role of {RBAC}; change both, so that what is installed is what is tested",
                role["kind"],
                role["metadata"]["name"]
            );
        }
    }
    Ok(())
}

/// The rules of a role. Which objects they are limited to depends on the name of the release; that they are limited does not.
fn rules(role: &Value) -> Value {
    let mut rules = role["rules"].clone();
    for names in rules.as_array_mut().into_iter().flatten().filter_map(|rule| rule.get_mut("resourceNames")) {
        *names = Value::Null;
    }
    rules
}

fn pod(objects: &[Value]) -> Result<&Value> {
    let deployment =
        objects.iter().find(|object| object["kind"] == "Deployment").context("there is no Deployment")?;
    Ok(&deployment["spec"]["template"]["spec"])
}

/// Gives the operator the arguments of its container, and the environment that it has in a Pod.
fn as_in_the_pod(operator: &mut Command, pod: &Value) -> Result<()> {
    let args = pod["containers"][0]["args"].as_array().context("the container has no arguments")?;
    // A file would have to be where only the Pod has a directory for it.
    let args = args.iter().filter_map(Value::as_str).filter(|arg| !arg.starts_with("--reconcile-records=/"));
    operator.args(args).env_clear().envs([
        ("POD_NAME", "pod"),
        ("POD_NAMESPACE", "operators"),
        ("POD_UID", "uid"),
    ]);
    Ok(())
}

/// The kubelet gives a replica the time that it says it takes, and 5 s for the process to come and go.
///
/// Values that set the grace period themselves may give it more.
fn grace_period_outlasts_the_shutdown(mut operator: Command, values: &str, objects: &[Value]) -> Result<()> {
    const PROCESS_MS: u64 = 5_000;
    let pod = pod(objects)?;
    operator.arg("shutdown-limit");
    as_in_the_pod(&mut operator, pod)?;
    let output = operator.output().context("the operator could not be started")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let limit: u64 = said.trim().parse().with_context(|| format!("`shutdown-limit` printed {said:?}"))?;
    let grace = pod["terminationGracePeriodSeconds"].as_u64().context("there is no grace period")?;
    let expected = (limit + PROCESS_MS).div_ceil(1_000);
    let sets_it =
        |line: &str| line.starts_with("terminationGracePeriodSeconds: ") && !line.ends_with(" null");
    let is_set = read(&chart().join(values))?.lines().any(sets_it);
    if grace < expected || (grace > expected && !is_set) {
        bail!(
            "terminationGracePeriodSeconds is {grace}, but the operator takes up to {limit} ms to shut down, so it has \
             to be {expected}; mend memcached-operator.leaveSeconds in {TIMINGS}"
        );
    }
    Ok(())
}

/// The operator takes the arguments, and fails only for want of an API server.
fn settings_are_taken(mut operator: Command, objects: &[Value]) -> Result<()> {
    as_in_the_pod(&mut operator, pod(objects)?)?;
    let output = operator.output().context("the operator could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(REFUSED) => bail!("the operator refuses its arguments: {}", said.trim_end()),
        _ if said.contains("no API server is configured") => Ok(()),
        code => {
            bail!("the operator ended with {code:?} although it knows no API server: {}", said.trim_end())
        }
    }
}

/// The chart validates timings and computes the grace period with the operator's presets.
fn presets_are_the_operators(mut operator: Command) -> Result<()> {
    let help = operator.arg("--help").output().context("the operator could not be started")?;
    let help = String::from_utf8_lossy(&help.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    let template = read(&chart().join(TIMINGS))?;
    let presets: Vec<_> =
        template.lines().filter_map(|line| line.split_once(": ")).filter(is_preset).collect();
    if presets.len() < 3 {
        bail!("{CHART}/{TIMINGS} lists {} presets; the operator has more", presets.len());
    }
    for (preset, timings) in presets {
        if !help.contains(&format!("{preset} {timings}")) {
            bail!(
                "{CHART}/{TIMINGS} says that {preset} is {timings}, which `memcached-operator --help` does not"
            );
        }
    }
    Ok(())
}

/// A line such as `fast: 5s/3s/1s`.
fn is_preset((name, timings): &(&str, &str)) -> bool {
    name.bytes().all(|b| b.is_ascii_lowercase()) && timings.split('/').count() == 3
}
