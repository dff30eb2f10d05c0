//! promtool, built from its Go module into a cache outside of the checkout, once.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// v0.316 of the module is Prometheus 3.16.
const VERSION: &str = "v0.316.0";
const MODULE: &str = "github.com/prometheus/prometheus/cmd/promtool";

/// Where it is. Nothing, if it has to be built and there is no Go to build it with.
pub(super) fn find() -> Result<Option<PathBuf>> {
    let dir = cache_dir()?.join("bin");
    let target = dir.join(format!("promtool-{VERSION}"));
    if target.exists() {
        return Ok(Some(target));
    }
    let version = go().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    eprintln!("building promtool {VERSION} (once, some minutes; kept in {})", dir.display());
    fs::create_dir_all(&dir).with_context(|| format!("{} could not be made", dir.display()))?;
    // Renamed into place when it is whole; whoever else builds it meanwhile builds the same.
    let unfinished = tempfile::TempDir::new_in(&dir).context("no directory could be made to build in")?;
    // What promtool could ask clouds for is half of the build, and no rule needs it.
    let install = ["install", "-trimpath", "-ldflags=-s -w", "-tags=remove_all_sd"];
    let status =
        go().env("GOBIN", unfinished.path()).args(install).arg(format!("{MODULE}@{VERSION}")).status();
    if !status.context("go could not be started")?.success() {
        bail!("promtool {VERSION} could not be built; the output of Go is above");
    }
    fs::rename(unfinished.path().join("promtool"), &target)
        .with_context(|| format!("{} could not be moved", target.display()))?;
    Ok(Some(target))
}

/// Runs it, with what it prints shown only if it fails.
pub(super) fn run<S: AsRef<OsStr>>(promtool: &Path, verb: &[&str], files: &[S]) -> Result<()> {
    let output = Command::new(promtool).args(verb).args(files).stdin(Stdio::null()).output();
    let output = output.context("promtool could not be started")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("promtool {} found this:\n{}", verb.join(" "), String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}

fn go() -> Command {
    let mut command = Command::new("go");
    command.envs([("CGO_ENABLED", "0"), ("GOFLAGS", ""), ("GOWORK", "off")]).stdin(Stdio::null());
    command
}

fn cache_dir() -> Result<PathBuf> {
    let under = |name, rest: &str| {
        std::env::var_os(name).filter(|dir| !dir.is_empty()).map(|dir| Path::new(&dir).join(rest))
    };
    under("XDG_CACHE_HOME", "memcached-operator-tools")
        .or_else(|| under("HOME", ".cache/memcached-operator-tools"))
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place to keep promtool")
}
