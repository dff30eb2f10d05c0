//! The crates that are meant to be published can be packaged, for the Rust version that they state, and what users write compiles
//! with the packages. What `templates/operator` makes of a new crate is tested and run.
//!
//! The other steps build this workspace, with the features that all of its members switch on together. A file that a package lacks,
//! a feature that only another member switches on, or a combination of features that does not compile would be found by the first user.
//! `cargo package` alone would build each package by itself, and most dependencies five times.

mod consumer;
mod template;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use self::consumer::CONSUMERS;
use super::StepContext;
use crate::cargo::{Cargo, root, target_dir};
use crate::status::StepStatus;

/// What is meant to be published, in the order of publishing.
pub(super) const PUBLISHED: [&str; 5] =
    ["lease-core", "shard-router", "overlap-checker", "embedded-apiserver", "kube-testkit"];

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    let version = tested_version()?;
    for name in PUBLISHED {
        leaves_the_version_of_kubernetes_open(name)?;
    }
    let target = target_dir()?;
    let packages = TempDir::with_prefix("packages-").context("no directory could be made")?;
    pack(&target, packages.path())?;
    let (combinations, skipped) = compile_consumers(packages.path(), &target.join("consumers"))?;
    let mut detail = format!(
        "{} crates, for Rust {version}; {combinations} crates of users compile, and the template works",
        PUBLISHED.len()
    );
    if !skipped.is_empty() {
        detail = format!("{detail}; not checked: {}", skipped.join(", "));
    }
    Ok(StepStatus::Passed(detail))
}

/// A library that chooses the version of Kubernetes forces it on all of its users, as k8s-openapi is built for one only.
fn leaves_the_version_of_kubernetes_open(name: &str) -> Result<()> {
    let tree = Cargo::new(["tree", "--edges", "normal", "--prefix", "none", "--format", "{p} {f}"])
        .args(["--package", name])
        .output()?;
    let chosen = chosen_versions(&tree);
    ensure!(
        chosen.is_empty(),
        "{name} switches on {} of k8s-openapi, so no user of it could choose another version; leave that to its dev-dependencies",
        chosen.join(", ")
    );
    Ok(())
}

/// The features of k8s-openapi that choose a version, in the output of `cargo tree --format '{p} {f}'`.
fn chosen_versions(tree: &str) -> Vec<&str> {
    let line = tree.lines().find(|line| line.starts_with("k8s-openapi v")).unwrap_or_default();
    let features = line.split_whitespace().nth(2).unwrap_or_default();
    let chooses = |feature: &&str| feature.starts_with("v1_") || ["earliest", "latest"].contains(feature);
    features.split(',').filter(chooses).collect()
}

/// Unpacks what would be published into a directory, each crate under its name.
fn pack(target: &Path, into: &Path) -> Result<()> {
    let names = PUBLISHED.into_iter().flat_map(|name| ["--package", name]);
    Cargo::new(["package", "--quiet", "--no-verify", "--allow-dirty"]).args(names).run()?;
    for name in PUBLISHED {
        let archive = archive_of(name, &target.join("package"))?;
        let dir = into.join(name);
        fs::create_dir(&dir).with_context(|| format!("{} could not be made", dir.display()))?;
        // Cargo gives all files in a package the same time, by which it would not see later that they have changed. `-m` takes the present.
        let mut tar = Command::new("tar");
        tar.arg("-xzmf").arg(&archive).args(["--strip-components", "1", "-C"]).arg(&dir);
        let status = tar.status().context("tar could not be started")?;
        ensure!(status.success(), "{} could not be unpacked ({status})", archive.display());
    }
    Ok(())
}

fn archive_of(name: &str, packages: &Path) -> Result<PathBuf> {
    let version = stated(&read("Cargo.toml")?, "version").context("Cargo.toml states no version")?;
    let archive = packages.join(format!("{name}-{version}.crate"));
    ensure!(archive.exists(), "cargo package has not written {}", archive.display());
    Ok(archive)
}

/// Checks the crates of users. Returns how many compile, and which could not be checked on this machine.
fn compile_consumers(packages: &Path, target: &Path) -> Result<(usize, Vec<String>)> {
    let workspace = TempDir::with_prefix("consumers-").context("no directory could be made")?;
    consumer::write(workspace.path(), packages)?;
    let mut skipped = Vec::new();
    for consumer in &CONSUMERS {
        if let Some(missing) = consumer.missing() {
            skipped.push(format!("{} ({missing})", consumer.name));
            continue;
        }
        let checked = as_user(["check", "--package", consumer.name], workspace.path(), target).run();
        if let Err(error) = checked {
            bail!("a crate that {} does not compile: {error}", consumer.what);
        }
    }
    try_template(workspace.path(), target)?;
    Ok((CONSUMERS.len() - skipped.len(), skipped))
}

/// Calls cargo as a user would in this workspace.
fn as_user<const N: usize>(args: [&str; N], workspace: &Path, target: &Path) -> Cargo {
    Cargo::new(args)
        .args(["--quiet"])
        .within(workspace)
        .env("CARGO_TARGET_DIR", target)
        // What would choose a version of Kubernetes for a user who has chosen one.
        .without_env("K8S_OPENAPI_ENABLED_VERSION")
}

/// The crate of the template passes its own tests, and its first run shows that it works.
fn try_template(workspace: &Path, target: &Path) -> Result<()> {
    as_user(["test", "--package", template::NAME], workspace, target).run().context("the template fails")?;
    let first = as_user(["run", "--package", template::NAME, "--example", "local"], workspace, target);
    let said = first.output().context("the first run of the template fails")?;
    ensure!(said.contains(r#"says "hello""#), "the first run of the template says only: {said}");
    Ok(())
}

fn put(file: &Path, text: &str) -> Result<()> {
    let dir = file.parent().context("a file lies in a directory")?;
    fs::create_dir_all(dir).with_context(|| format!("{} could not be made", dir.display()))?;
    fs::write(file, text).with_context(|| format!("{} could not be written", file.display()))
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

    #[test]
    fn a_chosen_version_of_kubernetes_is_found() {
        let tree = |features| {
            format!("lease-core v0.1.0 (/x) kube\nk8s-openapi v0.29.0 {features}\nkube v5.0.0 client\n")
        };
        assert_eq!(chosen_versions(&tree("default,std,v1_33")), ["v1_33"]);
        assert_eq!(chosen_versions(&tree("earliest,std")), ["earliest"]);
        assert!(chosen_versions(&tree("default,std")).is_empty());
        assert!(chosen_versions("overlap-checker v0.1.0 (/x)\n").is_empty());
    }
}
