//! Sets of values that nobody wrote, drawn from a seed: whatever renders has to be something that the API server and kustomize take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::helm::Helm;

/// How many sets are drawn.
const SETS: u64 = 60;
/// How many of them have to render, or they are drawn too wildly to show anything.
const RENDERED: usize = 25;
const LONGEST_LABEL: usize = 63;

/// A set that rendered.
pub(super) struct Drawn {
    /// As JSON, to be told where something is wrong.
    pub(super) values: Value,
    pub(super) manifest: String,
}

/// Draws values and looks at what Helm makes of them. What the chart refuses, it has to refuse by itself.
pub(super) fn check(helm: &Helm) -> Result<Vec<Drawn>> {
    let dir = TempDir::new().context("no directory could be made for values")?;
    let file = dir.path().join("values.json");
    let path = file.display().to_string();
    let mut drawn = Vec::new();
    for seed in 1..=SETS {
        let values = draw(seed);
        fs::write(&file, values.to_string()).context("values could not be written")?;
        match helm.template(&path) {
            Ok(manifest) => {
                let objects: Vec<Option<Value>> = serde_saphyr::from_multiple(&manifest)
                    .with_context(|| format!("seed {seed}: no YAML, or a key twice, with {values}"))?;
                let objects: Vec<Value> = objects.into_iter().flatten().collect();
                look(&objects).with_context(|| format!("seed {seed}, with {values}"))?;
                drawn.push(Drawn { values, manifest });
            }
            Err(error) => {
                let text = format!("{error:#}");
                let by_the_chart =
                    ["execution error at", "values don't meet the specifications of the schema"];
                if !by_the_chart.iter().any(|sign| text.contains(sign)) {
                    bail!("seed {seed}: Helm stumbles over the chart with {values}: {text}");
                }
            }
        }
    }
    if drawn.len() < RENDERED {
        bail!("only {} of {SETS} drawn sets of values rendered; draw them less wildly", drawn.len());
    }
    Ok(drawn)
}

/// A few settings, each with a value that somebody might think of.
fn draw(seed: u64) -> Value {
    let mut rng = fastrand::Rng::with_seed(seed);
    let long = "x".repeat(63);
    let choices: &[(&str, &[Value])] = &[
        ("replicas", &[json!(0), json!(1), json!(5)]),
        ("shards", &[json!(1), json!(64), json!(256)]),
        ("shardKeyLabel", &[json!("tenant"), json!("example.com/tenant")]),
        ("ownerFinalizerPolicy.enabled", &[json!(true), json!(false)]),
        ("watchNamespaces", &[json!(["team-a"]), json!(["team-a", "team-b"])]),
        ("global", &[json!({}), json!({"imageRegistry": "r.example.com"}), Value::Null]),
        ("enabled", &[json!(true)]),
        ("nameOverride", &[json!("mc"), json!(long), json!("1st"), json!("")]),
        ("fullnameOverride", &[json!("chosen"), json!(long), json!("2nd"), json!("")]),
        (
            "commonLabels",
            &[
                json!({"app.kubernetes.io/part-of": "platform"}),
                json!({"app.kubernetes.io/managed-by": "flux", "helm.sh/chart": "mine", "team": "a"}),
                json!({"app.kubernetes.io/version": "1", "example.com/cost-centre": "007"}),
                json!({"app.kubernetes.io/instance": "mine"}),
                json!({"team": "true"}),
            ],
        ),
        ("podLabels", &[json!({"team": "b"}), json!({"app.kubernetes.io/part-of": "p"}), json!({"n": "1"})]),
        ("podAnnotations", &[json!({"kubectl.kubernetes.io/default-container": "x"}), json!({"a": "{}: #"})]),
        ("deploymentAnnotations", &[json!({"example.com/owner": "yes"}), json!({"a": "line\nline"})]),
        ("crds.annotations", &[json!({"helm.sh/resource-policy": "keep"}), json!({"a": "b"})]),
        ("crds.keep", &[json!(true), json!(false)]),
        ("crds.install", &[json!(true), json!(false)]),
        ("fencing.enabled", &[json!(true)]),
        ("fencing.action", &[json!("Audit"), json!("Warn"), json!("Deny")]),
        ("fencing.required", &[json!(true), json!(false)]),
        ("leaderElection.id", &[json!("a.example.com"), json!("x".repeat(229))]),
        ("leaderElection.preset", &[json!("fast"), json!("lazy")]),
        ("leaderElection.enabled", &[json!(false), json!(true)]),
        ("leaderElection.namespace", &[json!("leases")]),
        ("leaderElection.restartInPlace", &[json!(false)]),
        ("drainTimeout", &[json!("1m"), json!("0s"), json!("1h")]),
        ("metrics.enabled", &[json!(true), json!(false)]),
        ("serviceMonitor.enabled", &[json!(true)]),
        (
            "serviceMonitor.labels",
            &[json!({"release": "prometheus"}), json!({"app.kubernetes.io/part-of": "x"})],
        ),
        ("prometheusRule.enabled", &[json!(true)]),
        ("prometheusRule.labels", &[json!({"app.kubernetes.io/managed-by": "x"})]),
        ("dashboard.enabled", &[json!(true)]),
        ("dashboard.labels", &[json!({"app.kubernetes.io/version": "2"})]),
        ("networkPolicy.enabled", &[json!(true)]),
        ("flowControl.enabled", &[json!(true)]),
        ("podDisruptionBudget.enabled", &[json!(true), json!(false)]),
        ("reconcileRecords", &[json!("stdout"), json!("/records/a.jsonl")]),
        ("logLevel", &[json!("debug"), json!("info,kube=debug")]),
        ("extraEnv", &[json!([{"name": "A", "value": ""}])]),
        ("image.digest", &[json!(format!("sha256:{}", "0".repeat(64)))]),
    ];
    let mut values = json!({});
    for (path, choices) in choices {
        if rng.u8(..) < 64 {
            let choice = choices[rng.usize(..choices.len())].clone();
            set(&mut values, path, choice);
        }
    }
    // A third of the sets have a mistake, each mistake its turn.
    let mistakes = mistakes();
    if let (0, Ok(turn)) = (seed % 3, usize::try_from(seed / 3)) {
        let (path, mistake) = mistakes[turn % mistakes.len()].clone();
        set(&mut values, path, mistake);
    }
    values
}

/// What an API server would refuse, so the chart has to. Where one renders, the API server objects.
fn mistakes() -> Vec<(&'static str, Value)> {
    vec![
        ("priorityClassName", json!("Very High")),
        ("leaderElection.namespace", json!("Bad_NS")),
        ("nodeSelector", json!({"disk": "very fast"})),
        ("nodeSelector", json!({"a disk": "fast"})),
        ("imagePullSecrets", json!([{"name": "My Secret"}])),
        ("extraEnv", json!([{"name": "A=B", "value": "c"}])),
        ("extraEnv", json!([{"name": "A", "value": "b"}, {"name": "A", "value": "c"}])),
        ("tolerations", json!([{"key": "a", "operator": "Exist"}])),
        ("affinity", json!({"podAntiAfinity": {}})),
        ("podDisruptionBudget.maxUnavailable", json!("200%")),
        ("networkPolicy", json!({"enabled": true, "metricsFrom": [{"namespaceSelektor": {}}]})),
        ("serviceAccount.name", json!("Not_A_Name")),
        ("podAnnotations", json!({"a b": "c"})),
        ("resources", json!({"limits": {"cpu": "lots"}})),
    ]
}

fn set(values: &mut Value, path: &str, value: Value) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let map = values.as_object_mut().expect("values are a map");
    match rest {
        None => drop(map.insert(first.to_owned(), value)),
        Some(rest) => set(map.entry(first).or_insert_with(|| json!({})), rest, value),
    }
}

/// What the API server would object to, or a Deployment would never get over.
fn look(objects: &[Value]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for object in objects {
        let (kind, metadata) = (object["kind"].as_str().unwrap_or_default(), &object["metadata"]);
        let name = metadata["name"].as_str().with_context(|| format!("a {kind} without a name"))?;
        if !seen.insert((object["apiVersion"].to_string(), kind, metadata["namespace"].to_string(), name)) {
            bail!("{kind} {name} twice");
        }
        let longest = if kind == "Service" { 63 } else { 253 };
        if name.len() > longest {
            bail!("the name of {kind} {name} has {} characters", name.len());
        }
        for labels in [&metadata["labels"], &object["spec"]["template"]["metadata"]["labels"]] {
            labels_are_labels(labels).with_context(|| format!("{kind} {name}"))?;
        }
    }
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").context("no Deployment")?;
    let pod = map(&deployment["spec"]["template"]["metadata"]["labels"]);
    let selectors = [
        ("Deployment", "/spec/selector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
        ("Service", "/spec/selector"),
    ];
    for (kind, path) in selectors {
        for object in objects.iter().filter(|object| object["kind"] == kind) {
            let selector = map(object.pointer(path).unwrap_or(&Value::Null));
            if selector.is_empty() || selector.iter().any(|(key, value)| pod.get(key) != Some(value)) {
                bail!("{kind} does not find the Pods: {selector:?} of {pod:?}");
            }
        }
    }
    Ok(())
}

fn labels_are_labels(labels: &Value) -> Result<()> {
    for (key, value) in labels.as_object().unwrap_or(&Map::new()) {
        let value = value.as_str().with_context(|| format!("the label {key} is no text: {value}"))?;
        if value.len() > LONGEST_LABEL {
            bail!("the label {key} has {} characters", value.len());
        }
    }
    Ok(())
}

fn map(labels: &Value) -> BTreeMap<String, Value> {
    labels.as_object().cloned().unwrap_or_default().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_seen() {
        let label =
            |value: &str| json!({"kind": "Service", "metadata": {"name": "a", "labels": {"a": value}}});
        assert!(look(&[label(&"x".repeat(64))]).unwrap_err().to_string().contains("Service a"));
        assert!(look(&[label("x"), label("x")]).unwrap_err().to_string().contains("twice"));
        let long = json!({"kind": "Service", "metadata": {"name": "x".repeat(64)}});
        assert!(look(&[long]).unwrap_err().to_string().contains("64 characters"));
        let deployment = json!({
            "kind": "Deployment", "metadata": {"name": "d"},
            "spec": {"selector": {"matchLabels": {"a": "1"}}, "template": {"metadata": {"labels": {"a": "2"}}}},
        });
        assert!(look(&[deployment]).unwrap_err().to_string().contains("does not find the Pods"));
        assert!(serde_saphyr::from_str::<Value>("a: 1\na: 2\n").is_err(), "a key twice is an error");
    }

    #[test]
    fn a_seed_draws_the_same_again() {
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
