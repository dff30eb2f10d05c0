//! Calling Go.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A call of Go that no setting of the caller's changes.
pub(crate) fn go() -> Command {
    let mut command = Command::new("go");
    command
        .envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=readonly"), ("GOWORK", "off")])
        .stdin(Stdio::null());
    command
}

pub(crate) fn has_go() -> bool {
    let version = go().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// Where tools are kept that are built with Go, outside of the checkout.
pub(crate) fn tools_dir() -> Result<PathBuf> {
    let under = |name, rest: &str| {
        std::env::var_os(name).filter(|dir| !dir.is_empty()).map(|dir| Path::new(&dir).join(rest))
    };
    let cache = under("XDG_CACHE_HOME", "memcached-operator-tools")
        .or_else(|| under("HOME", ".cache/memcached-operator-tools"))
        .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place to keep tools")?;
    Ok(cache.join("bin"))
}
