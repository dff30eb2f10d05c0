//! The operator as a Helm release.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::images::Image;
use crate::options::{Preset, Timings};
use crate::tool::{Printed, Tool};

/// One release of the chart, with the values that the drills change.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) chart: PathBuf,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) replicas: u32,
    pub(crate) shards: u32,
    pub(crate) preset: Preset,
    pub(crate) leader_elect: bool,
    pub(crate) image: Image,
    /// Environment variables of the operator.
    pub(crate) env: Vec<(String, String)>,
    /// Values over all others, for what a single drill wants.
    pub(crate) extra: Value,
}

impl Release {
    /// What must be there after a takeover.
    pub(crate) fn timings(&self) -> Timings {
        self.preset.timings()
    }

    /// Installs or upgrades it, and returns when every replica is ready.
    pub(crate) async fn apply(&self, kubeconfig: &Path) -> Result<()> {
        let printed = self.try_apply(kubeconfig, true).await?;
        if !printed.ok {
            anyhow::bail!("helm could not bring release {} about: {}", self.name, printed.stderr.trim());
        }
        Ok(())
    }

    /// Like [`Self::apply`], for what may be refused; returns as soon as the objects are there unless `wait`.
    pub(crate) async fn try_apply(&self, kubeconfig: &Path, wait: bool) -> Result<Printed> {
        let chart = self.chart.to_str().context("the chart's path is no UTF-8")?;
        let args =
            ["upgrade", "--install", &self.name, chart, "--namespace", &self.namespace, "--create-namespace"];
        let wait: &[&str] = if wait { &["--wait", "--timeout", "5m"] } else { &[] };
        let tool = Tool::new("helm").args(args).args(["--values", "-"]).args(wait).kubeconfig(kubeconfig);
        tool.input(self.values().to_string()).attempt().await
    }

    /// Uninstalls it; the definition and the resources stay, as the chart keeps them.
    pub(crate) async fn remove(&self, kubeconfig: &Path) -> Result<()> {
        let args = ["uninstall", &self.name, "--namespace", &self.namespace, "--wait", "--timeout", "5m"];
        Tool::new("helm").args(args).kubeconfig(kubeconfig).run().await.map(|_| ())
    }

    fn values(&self) -> Value {
        let mut values = json!({
            "replicas": self.replicas,
            "shards": self.shards,
            "reconcileRecords": "stdout",
            "logFormat": "text",
            "leaderElection": {"enabled": self.leader_elect, "preset": self.preset.name()},
            "image": {"repository": self.image.repository, "tag": self.image.tag, "pullPolicy": "IfNotPresent"},
            "extraEnv": self.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>(),
        });
        merge(&mut values, &self.extra);
        values
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (into, from) => *into = from.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_values_win_and_leave_the_others() {
        let mut values = json!({"a": {"b": 1, "c": 2}});
        merge(&mut values, &json!({"a": {"c": 3}, "d": true}));
        assert_eq!(values, json!({"a": {"b": 1, "c": 3}, "d": true}));
        merge(&mut values, &Value::Null);
        assert_eq!(values["d"], true);
    }
}
