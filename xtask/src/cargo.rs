//! Calling cargo.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::outcome::Counts;

/// A call of the cargo that runs this, in the workspace's root.
pub(crate) struct Cargo(Command);

/// What a test run printed that the summary needs.
#[derive(Debug, Default)]
pub(crate) struct TestRun {
    pub(crate) ok: bool,
    pub(crate) counts: Counts,
    /// Tests marked `#[ignore = "reason"]`, one line each.
    pub(crate) ignored: Vec<String>,
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in the workspace")
}

/// Builds the operator and says where it is.
///
/// Features are resolved for xtask as well, so that the dependencies which `cargo xtask` was built with are
/// the same.
pub(crate) fn build_operator() -> Result<PathBuf> {
    Cargo::new([
        "build",
        "--package",
        "xtask",
        "--package",
        "memcached-operator",
        "--bin",
        "memcached-operator",
    ])
    .run()
    .context("the operator could not be built")?;
    Ok(target_dir()?.join("debug/memcached-operator"))
}

/// Where cargo puts what it builds.
fn target_dir() -> Result<PathBuf> {
    let metadata = Cargo::new(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    Ok(metadata["target_directory"].as_str().context("cargo metadata names no target directory")?.into())
}

impl Cargo {
    pub(crate) fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args).current_dir(root()).stdin(Stdio::null());
        // Set by `cargo run` for xtask itself; inherited, they would make build scripts rerun.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            command.env_remove(name);
        }
        Self(command)
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.0.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it with its output shown; fails unless it succeeds.
    pub(crate) fn run(mut self) -> Result<()> {
        self.announce();
        let status = self.0.status().context("cargo could not be started")?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.line());
        }
        Ok(())
    }

    /// Runs it and returns its standard output.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self.0.stderr(Stdio::inherit()).output().context("cargo could not be started")?;
        if !output.status.success() {
            bail!("`{}` failed ({})", self.line(), output.status);
        }
        String::from_utf8(output.stdout).context("cargo printed no UTF-8")
    }

    /// Runs tests with their output shown, and takes down the counts.
    pub(crate) fn run_tests(mut self) -> Result<TestRun> {
        self.announce();
        let mut child = self.0.stdout(Stdio::piped()).spawn().context("cargo could not be started")?;
        let stdout = child.stdout.take().context("the output was asked for")?;
        let mut run = TestRun::default();
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cargo's output could not be read")?;
            println!("{line}");
            if !run.counts.add_line(&line)
                && let Some((test, why)) =
                    line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored"))
            {
                run.ignored.push(format!("ignored: {test}{why}"));
            }
        }
        run.ok = child.wait().context("cargo could not be waited for")?.success();
        Ok(run)
    }

    fn announce(&self) {
        eprintln!("$ {}", self.line());
    }

    fn line(&self) -> String {
        let args = self.0.get_args().map(OsStr::to_string_lossy);
        std::iter::once("cargo".into()).chain(args).collect::<Vec<_>>().join(" ")
    }
}
