//! What a real API server makes of the chart: it admits each set of values, and releases come, change and go.

mod flow_control;
mod lifecycle;
mod owner_finalizer;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::companion::Companion;
use super::helm::{Helm, NAMESPACE, RELEASE, call};
use super::random_values::Drawn;
use super::{VALUES, tools};
use crate::cargo::{Cargo, target_dir};

/// Why nothing was admitted.
pub(super) const NO_SERVER: &str = "the chart was not shown to an API server, as this machine has none";

const DEFINITION: &str = "memcacheds.cache.example.com";
/// The namespaces that the sets of values speak of.
const NAMESPACES: [&str; 4] = [NAMESPACE, "leases", "team-a", "team-b"];

/// Shows everything to an API server of its own; nothing where there can be none. Returns which one it was.
///
/// `drawn` are sets of values of which a few are shown to it as well.
pub(super) fn check(helms: &[Helm; 2], drawn: &[Drawn]) -> Result<Option<String>> {
    let Some(server) = Server::start()? else { return Ok(None) };
    server.prepare()?;
    server.admits(&helms[0])?;
    server.admits_drawn(drawn)?;
    helms.iter().try_for_each(|helm| lifecycle::check(&server, helm))?;
    flow_control::check(&server, &helms[0])?;
    owner_finalizer::check(&server, &helms[1])?;
    let version = server.version()?;
    Ok(Some(format!("kube-apiserver {version}")))
}

/// An API server to ask by kubectl.
struct Server {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    /// The kubeconfig of the operator of the release in all checks, as it would be in a Pod.
    operator: PathBuf,
    /// For what is shown to it.
    files: TempDir,
    _process: Companion,
}

/// Where it is, as the program `control_plane` of the package `fleet` says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Started {
    Ready { kubectl: PathBuf, kubeconfig: PathBuf, operator: PathBuf },
    Not { unavailable: String },
}

impl Server {
    fn start() -> Result<Option<Self>> {
        Cargo::new(["build", "--quiet", "--package", "fleet", "--bin", "control_plane"])
            .run()
            .context("what starts the API server could not be built")?;
        let mut command = Command::new(target_dir()?.join("debug/control_plane"));
        command.args([NAMESPACE, RELEASE]).stdout(Stdio::piped());
        let mut process = Companion::start(&mut command)?;
        let started = process.first_line().context("the API server did not start")?;
        match serde_json::from_str(&started).context("control_plane printed something else than it should")? {
            Started::Ready { kubectl, kubeconfig, operator } => {
                let files = TempDir::new().context("no directory could be made for manifests")?;
                Ok(Some(Self { kubectl, kubeconfig, operator, files, _process: process }))
            }
            Started::Not { unavailable } => {
                eprintln!("{unavailable}");
                Ok(None)
            }
        }
    }

    /// Namespaces in which nothing less than Pod Security's restricted profile is let in, and the definitions that the
    /// chart's optional objects need.
    fn prepare(&self) -> Result<()> {
        for namespace in NAMESPACES {
            self.ask(&["create", "namespace", namespace])?;
            let levels =
                ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
            self.ask(&["label", "namespace", namespace, &levels[0], &levels[1]])?;
        }
        for file in tools::prometheus_definitions()? {
            self.ask(&["create", "--filename", &file.display().to_string()])?;
        }
        self.ask(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).map(drop)
    }

    /// Whether everything is admitted, without so much as a warning. Pod Security warns of what it would not let run.
    fn admits(&self, helm: &Helm) -> Result<()> {
        for values in VALUES {
            let manifest = self.files.path().join("manifest.yaml");
            fs::write(&manifest, helm.template(values)?).context("a manifest could not be written")?;
            let file = manifest.display().to_string();
            self.ask(&["apply", "--dry-run=server", "--warnings-as-errors", "--filename", &file])
                .with_context(|| format!("not admitted with {values}"))?;
        }
        Ok(())
    }

    /// Whether what was drawn is admitted, by the API server and by kustomize. A few are enough here: what is wrong with the others,
    /// they were looked at for.
    fn admits_drawn(&self, drawn: &[Drawn]) -> Result<()> {
        const SHOWN: usize = 12;
        for (nth, Drawn { values, manifest }) in drawn.iter().take(SHOWN).enumerate() {
            let dir = self.files.path().join(format!("drawn-{nth}"));
            fs::create_dir(&dir).context("a directory could not be made")?;
            fs::write(dir.join("all.yaml"), manifest).context("a manifest could not be written")?;
            fs::write(dir.join("kustomization.yaml"), "resources: [all.yaml]\n")
                .context("a kustomization could not be written")?;
            let dir = dir.display().to_string();
            self.ask(&["kustomize", &dir]).with_context(|| format!("kustomize refuses it with {values}"))?;
            self.ask(&["apply", "--dry-run=server", "--filename", &format!("{dir}/all.yaml")])
                .with_context(|| format!("not admitted with {values}"))?;
        }
        Ok(())
    }

    /// What kubectl prints.
    fn ask(&self, args: &[&str]) -> Result<String> {
        String::from_utf8(self.run(args)?.stdout).context("kubectl printed no UTF-8")
    }

    fn run(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.kubectl);
        command.args(args).env("KUBECONFIG", &self.kubeconfig);
        call(command)
    }

    fn version(&self) -> Result<String> {
        let versions = self.ask(&["version", "--output", "json"])?;
        let versions: Value = serde_json::from_str(&versions).context("kubectl printed no JSON")?;
        Ok(versions["serverVersion"]["gitVersion"]
            .as_str()
            .context("the API server has no version")?
            .to_owned())
    }
}
