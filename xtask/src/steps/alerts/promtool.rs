//! promtool, built from its Go module into a cache outside of the checkout, once.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::go::{go, has_go, tools_dir};

/// v0.316 of the module is Prometheus 3.16.
const VERSION: &str = "v0.316.0";
const MODULE: &str = "github.com/prometheus/prometheus/cmd/promtool";

/// Where it is. Nothing, if it has to be built and there is no Go to build it with.
pub(super) fn find() -> Result<Option<PathBuf>> {
    let dir = tools_dir()?;
    let target = dir.join(format!("promtool-{VERSION}"));
    if target.exists() {
        return Ok(Some(target));
    }
    if !has_go() {
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
