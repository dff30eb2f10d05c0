//! Helm and what belongs to it, built from Go modules into a cache outside of the checkout, once.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cargo::root;
use crate::go::{go, has_go, tools_dir};

/// A program, each in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Helm3,
    Helm4,
    Unittest,
    Docs,
}

/// Where the programs are.
pub(super) struct Tools {
    dir: PathBuf,
}

/// Whose definitions ServiceMonitor and PrometheusRule are checked against.
const PROMETHEUS_OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";

impl Tool {
    const ALL: [Self; 4] = [Self::Docs, Self::Helm3, Self::Helm4, Self::Unittest];

    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Helm3 => "v3.22.0",
            Self::Helm4 => "v4.3.1",
            Self::Unittest => "v1.1.2",
            Self::Docs => "v1.14.2",
        }
    }

    fn module(self) -> &'static str {
        match self {
            Self::Helm3 => "helm.sh/helm/v3",
            Self::Helm4 => "helm.sh/helm/v4",
            Self::Unittest => "github.com/helm-unittest/helm-unittest",
            Self::Docs => "github.com/norwoodj/helm-docs",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Helm3 | Self::Helm4 => "helm",
            Self::Unittest => "helm-unittest",
            Self::Docs => "helm-docs",
        }
    }

    fn file(self) -> String {
        format!("{}-{}", self.name(), self.version())
    }
}

impl Tools {
    /// Builds what is missing; nothing without Go.
    pub(super) fn find() -> Result<Option<Self>> {
        if !has_go() {
            return Ok(None);
        }
        let tools = Self { dir: tools_dir()? };
        fs::create_dir_all(&tools.dir)
            .with_context(|| format!("{} could not be made", tools.dir.display()))?;
        let mut missing = Tool::ALL.into_iter().filter(|tool| !tools.path(*tool).exists());
        missing.try_for_each(|tool| tools.build(tool))?;
        Ok(Some(tools))
    }

    pub(super) fn path(&self, tool: Tool) -> PathBuf {
        self.dir.join(tool.file())
    }

    /// Builds with the dependencies that the module's authors pinned, which `go install` does not always allow.
    fn build(&self, tool: Tool) -> Result<()> {
        let target = self.path(tool);
        let lock_file = self.dir.join(format!("{}.lock", tool.file()));
        let lock =
            File::create(&lock_file).with_context(|| format!("{} could not be made", lock_file.display()))?;
        lock.lock().with_context(|| format!("{} could not be locked", lock_file.display()))?;
        if target.exists() {
            return Ok(());
        }
        eprintln!("building {} (once; kept in {})", tool.file(), self.dir.display());
        let started = Instant::now();
        let source = module_dir(&format!("{}@{}", tool.module(), tool.version()))?;
        // Renamed into place when it is whole.
        let unfinished = target.with_extension("unfinished");
        let mut build = go();
        build.args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &ldflags()?, "-o"]).arg(&unfinished);
        let status = build.arg(format!("./cmd/{}", tool.name())).current_dir(source).status();
        if !status.context("go could not be started")?.success() {
            bail!("{} could not be built; the output of Go is above", tool.file());
        }
        fs::rename(&unfinished, &target)
            .with_context(|| format!("{} could not be moved", target.display()))?;
        eprintln!("built {} in {} s", tool.file(), started.elapsed().as_secs());
        Ok(())
    }
}

/// The definitions of ServiceMonitor and PrometheusRule.
pub(super) fn prometheus_definitions() -> Result<[PathBuf; 2]> {
    let dir = module_dir(PROMETHEUS_OPERATOR)?.join("example/prometheus-operator-crd");
    let file = |plural: &str| dir.join(format!("monitoring.coreos.com_{plural}.yaml"));
    Ok([file("servicemonitors"), file("prometheusrules")])
}

/// Fetches a module, or finds it where it was fetched before.
fn module_dir(module: &str) -> Result<PathBuf> {
    let output = go().args(["mod", "download", "-json", module]).current_dir(std::env::temp_dir()).output();
    let output = output.context("go could not be started")?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let Some(dir) = answer["Dir"].as_str() else {
        let why =
            answer["Error"].as_str().map_or_else(|| String::from_utf8_lossy(&output.stderr), Into::into);
        bail!("the Go module {module} could not be fetched: {why}");
    };
    Ok(dir.into())
}

/// Helm 3 has to be told which Kubernetes it renders for, or it takes one that is long gone.
fn ldflags() -> Result<String> {
    let kubernetes = kubernetes()?;
    let mut numbers = kubernetes.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or_default());
    let places = ["helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"];
    let set = |place| format!(" -X {place}.k8sVersionMajor={major} -X {place}.k8sVersionMinor={minor}");
    Ok(format!("-s -w{}", places.map(set).concat()))
}

/// The release of Kubernetes that kube-testkit pins: from its source, as to depend on it would mean to build kube for every chore.
fn kubernetes() -> Result<String> {
    const FILE: &str = "crates/kube-testkit/src/versions.rs";
    let source =
        fs::read_to_string(root().join(FILE)).with_context(|| format!("{FILE} could not be read"))?;
    let pinned =
        source.split_once("pub const KUBERNETES: &str = \"").and_then(|(_, rest)| rest.split_once('"'));
    Ok(pinned.with_context(|| format!("{FILE} pins no KUBERNETES any more"))?.0.to_owned())
}
