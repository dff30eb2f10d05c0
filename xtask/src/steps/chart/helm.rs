//! Calling Helm, with nothing of its user's own settings and plugins.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use super::tools::{Tool, Tools};
use super::{CHART, chart};

/// The release in all checks.
pub(super) const RELEASE: &str = "memcached-operator";
/// Its namespace.
pub(super) const NAMESPACE: &str = "operators";

/// One version of Helm.
pub(super) struct Helm {
    program: PathBuf,
    version: &'static str,
    home: TempDir,
}

impl Helm {
    pub(super) fn new(tools: &Tools, tool: Tool) -> Result<Self> {
        let home = TempDir::new().context("no directory could be made for Helm to keep its files in")?;
        Ok(Self { program: tools.path(tool), version: tool.version(), home })
    }

    pub(super) fn version(&self) -> &'static str {
        self.version
    }

    pub(super) fn lint(&self, values: &str) -> Result<()> {
        self.call(self.command(&["lint", ".", "--strict", "--quiet", "--values", values])).map(drop)
    }

    /// What would be sent to the cluster.
    pub(super) fn template(&self, values: &str) -> Result<String> {
        let args = ["template", RELEASE, ".", "--namespace", NAMESPACE, "--values", values];
        let output = self.call(self.command(&args))?;
        String::from_utf8(output.stdout).context("helm printed no UTF-8")
    }

    /// The same, read.
    pub(super) fn objects(&self, values: &str) -> Result<Vec<Value>> {
        let objects: Vec<Option<Value>> = serde_saphyr::from_multiple(&self.template(values)?)
            .with_context(|| format!("what Helm makes of {values} is no YAML"))?;
        Ok(objects.into_iter().flatten().collect())
    }

    /// Changes or asks the cluster of this kubeconfig.
    pub(super) fn act(&self, kubeconfig: &Path, args: &[&str]) -> Result<()> {
        let mut command = self.command(args);
        command.args(["--namespace", NAMESPACE]).env("KUBECONFIG", kubeconfig);
        self.call(command).map(drop)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(chart()).env_remove("KUBECONFIG");
        for part in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{part}_HOME"), self.home.path());
        }
        command
    }

    fn call(&self, command: Command) -> Result<Output> {
        call(command).with_context(|| format!("Helm {}", self.version))
    }
}

/// Runs the chart's unit tests and returns how many there were.
pub(super) fn unit_tests(tools: &Tools) -> Result<u64> {
    let mut command = Command::new(tools.path(Tool::Unittest));
    command.args(["--strict", "."]).current_dir(chart());
    let output = call(command).with_context(|| format!("a unit test of {CHART} failed"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.lines().find_map(|line| line.strip_prefix("Tests:")?.trim().split_once(" passed"));
    match passed.and_then(|(count, _)| count.parse().ok()) {
        Some(count) if count > 0 => Ok(count),
        _ => bail!("helm-unittest ran no test:\n{text}"),
    }
}

/// Runs a program; if it fails, tells what it printed.
pub(super) fn call(mut command: Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} could not be started"))?;
    if !output.status.success() {
        let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
        let text = [output.stdout, output.stderr].concat();
        bail!("`{} {}` failed:\n{}", name, args.join(" "), String::from_utf8_lossy(&text).trim_end());
    }
    Ok(output)
}
