//! The crates that are meant to be published can be packaged, for the Rust version that they state.
//!
//! Packages are not built: that would build all dependencies once more, and the steps before this one have built the same sources.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::StepContext;
use crate::cargo::{Cargo, root};
use crate::status::StepStatus;

/// What is meant to be published, in the order of publishing.
pub(super) const PUBLISHED: [&str; 4] =
    ["lease-core", "shard-router", "overlap-checker", "embedded-apiserver"];

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    let version = tested_version()?;
    let packages = PUBLISHED.into_iter().flat_map(|name| ["--package", name]);
    Cargo::new(["package", "--quiet", "--no-verify", "--allow-dirty"]).args(packages).run()?;
    Ok(StepStatus::Passed(format!("{} crates, for Rust {version}", PUBLISHED.len())))
}

/// The minimum Rust version is the pinned toolchain, so that all of CI tests it.
fn tested_version() -> Result<String> {
    let minimum =
        stated(&read("Cargo.toml")?, "rust-version").context("Cargo.toml states no rust-version")?;
    let pinned =
        stated(&read("rust-toolchain.toml")?, "channel").context("rust-toolchain.toml pins no channel")?;
    ensure!(
        pinned == minimum || pinned.strip_prefix(&minimum).is_some_and(|rest| rest.starts_with('.')),
        "Cargo.toml states Rust {minimum} as the minimum and rust-toolchain.toml pins {pinned}, so nothing tests the minimum; \
         state the pinned version, or add a check with the older one"
    );
    Ok(minimum)
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(root().join(file)).with_context(|| format!("{file} could not be read"))
}

/// The value of `key = "value"`.
fn stated(toml: &str, key: &str) -> Option<String> {
    let value = toml.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='))?;
    Some(value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_rust_version_is_the_one_that_is_tested() {
        tested_version().unwrap();
    }

    #[test]
    fn values_are_read() {
        assert_eq!(stated("a = 1\nrust-version = \"1.95\"\n", "rust-version").as_deref(), Some("1.95"));
        assert_eq!(stated("other-rust-version = \"1\"\n", "rust-version"), None);
    }
}
