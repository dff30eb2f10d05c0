//! The embedded API server's schemas of built-in kinds, as a real kube-apiserver documents them.

use anyhow::{Context, Result};

use crate::cargo::Cargo;

/// Writes them, from an API server of the version that kube-testkit pins. Needs Go as well.
pub(crate) fn write() -> Result<()> {
    let cargo = Cargo::new(["test", "--workspace", "--all-features", "--test", "conformance"]);
    let cargo = cargo.args(["built_in_schemas", "--", "--nocapture"]);
    let cargo = cargo.env("KUBE_TESTKIT_GENERATE", "1").env("KUBE_TESTKIT_REQUIRE", "real");
    cargo.run().context("the schemas could not be written")
}
