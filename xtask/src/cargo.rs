//! Calling cargo.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};

use crate::status::Counts;

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

/// When the output of tests is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    AtOnce,
    /// In one piece, so that it is not mixed with that of tests that run at the same time.
    AtTheEnd,
}

impl TestRun {
    /// Both together.
    pub(crate) fn add(&mut self, other: Self) {
        self.ok &= other.ok;
        self.counts.passed += other.counts.passed;
        self.counts.failed += other.counts.failed;
        self.counts.ignored += other.counts.ignored;
        self.ignored.extend(other.ignored);
    }
}

/// The workspace's root, by what `cargo run` says now: where two checkouts share a target directory, this program may have
/// been built from the other one.
pub(crate) fn root() -> &'static Path {
    static XTASK: LazyLock<PathBuf> = LazyLock::new(|| {
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()).into()
    });
    XTASK.parent().expect("xtask lies in the workspace")
}

/// Which features to build a program with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Features {
    /// As it is shipped.
    Default,
    /// As the tests have just built it, deliberate faults included.
    All,
}

/// Builds the operator and says where it is.
pub(crate) fn build_operator(features: Features) -> Result<PathBuf> {
    build("memcached-operator", features).context("the operator could not be built")
}

/// Builds the demo and says where it is.
pub(crate) fn build_demo(features: Features) -> Result<PathBuf> {
    build("demo", features).context("the demo could not be built")
}

fn build(program: &str, features: Features) -> Result<PathBuf> {
    // Naming both packages gives the dependencies the features that the demo and the tests have.
    let packages: &[&str] = match features {
        Features::Default => &["--package", "fleet", "--package", "memcached-operator"],
        Features::All => &["--workspace", "--all-features"],
    };
    Cargo::new(["build", "--quiet", "--bin", program]).args(packages).run()?;
    Ok(target_dir()?.join("debug").join(program))
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = Cargo::new(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    Ok(metadata["target_directory"].as_str().context("cargo metadata names no target directory")?.into())
}

/// Whether a program of cargo's, such as `cargo-deny`, is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

impl Cargo {
    pub(crate) fn new<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(args).current_dir(root()).stdin(Stdio::null());
        // Set by `cargo run` to describe xtask. Inherited, they make build scripts that look at them (ring's
        // does) run again, and everything that depends on them is built anew, back and forth with each way of
        // calling cargo.
        let describes_xtask = |name: &OsString| {
            let name = name.to_string_lossy();
            name == "OUT_DIR"
                || ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| describes_xtask(name)) {
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

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// In this directory instead of the workspace's root.
    pub(crate) fn within(mut self, dir: &Path) -> Self {
        self.0.current_dir(dir);
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
    pub(crate) fn run_tests(mut self, output: Output) -> Result<TestRun> {
        self.announce();
        let mut later = Vec::new();
        let mut child = self.0.stdout(Stdio::piped()).spawn().context("cargo could not be started")?;
        let stdout = child.stdout.take().context("the output was asked for")?;
        let mut run = TestRun::default();
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cargo's output could not be read")?;
            match output {
                Output::AtOnce => println!("{line}"),
                Output::AtTheEnd => later.push(line.clone()),
            }
            if !run.counts.add_line(&line)
                && let Some((test, why)) =
                    line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ignored"))
            {
                run.ignored.push(format!("ignored: {test}{why}"));
            }
        }
        run.ok = child.wait().context("cargo could not be waited for")?.success();
        if !later.is_empty() {
            println!("{}", later.join("\n"));
        }
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
