//! Compares the public API of the published crates with that of the last release.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::package::PUBLISHED;
use crate::cargo::{Cargo, is_installed, root};

/// Runs cargo-semver-checks against the last release tag.
pub(crate) fn run() -> Result<()> {
    let Some(tag) = last_release()? else {
        println!("semver: there is no release tag (v*) yet, so there is nothing to compare with.");
        return Ok(());
    };
    if !is_installed("cargo-semver-checks") {
        bail!(
            "cargo-semver-checks is not installed; `cargo install --locked cargo-semver-checks` installs it"
        );
    }
    let packages = PUBLISHED.into_iter().flat_map(|name| ["--package", name]);
    // By itself it switches on all features, and would judge the deliberate faults as part of the API.
    Cargo::new(["semver-checks", "--default-features", "--baseline-rev", &tag]).args(packages).run()
}

/// The last release that this commit comes after.
fn last_release() -> Result<Option<String>> {
    let git = Command::new("git")
        .args(["describe", "--tags", "--abbrev=0", "--match", "v*"])
        .current_dir(root())
        .stderr(Stdio::null())
        .output()
        .context("git could not be started")?;
    let tag = String::from_utf8_lossy(&git.stdout).trim().to_owned();
    Ok(Some(tag).filter(|tag| git.status.success() && !tag.is_empty()))
}
