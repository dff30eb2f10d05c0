//! Which integration tests there are, told apart by their file names.

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::cargo::Cargo;

/// Integration tests (`crates/*/tests/NAME.rs`) by what they need.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// Names that contain `mutants`: they switch deliberate faults on, for their whole process.
    pub(super) mutants: Vec<String>,
    /// All others: they may use a real API server.
    pub(super) others: Vec<String>,
}

impl Targets {
    pub(super) fn find() -> Result<Self> {
        let metadata = Cargo::new(["metadata", "--no-deps", "--format-version", "1"]).output()?;
        Self::of(&metadata)
    }

    fn of(metadata: &str) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_str(metadata).context("cargo metadata has a form that is unknown here")?;
        let targets = metadata.packages.into_iter().flat_map(|package| package.targets);
        let tests = targets.filter(|target| target.kind.iter().any(|kind| kind == "test"));
        let (mutants, others) = tests.map(|target| target.name).partition(|name| name.contains("mutants"));
        Ok(Self { mutants, others })
    }
}

/// As arguments for `cargo test`.
pub(super) fn as_args(names: &[String]) -> impl Iterator<Item = &str> {
    names.iter().flat_map(|name| ["--test", name])
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart_by_name() {
        let metadata = r#"{"packages": [{"targets": [
            {"kind": ["lib"], "name": "lease_core"},
            {"kind": ["test"], "name": "real_mutants"},
            {"kind": ["test"], "name": "race"}]}]}"#;
        let expected = Targets { mutants: vec!["real_mutants".into()], others: vec!["race".into()] };
        assert_eq!(Targets::of(metadata).unwrap(), expected);
    }
}
