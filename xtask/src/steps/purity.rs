//! The state machine does no I/O: what it is built from shows that it could not.

use anyhow::{Result, bail};

use super::StepContext;
use crate::cargo::Cargo;
use crate::status::StepStatus;

/// What the pure core must not depend on, by whole crate name or up to the first dash.
const BANNED: [&str; 8] = ["tokio", "kube", "k8s", "hyper", "rustix", "fastrand", "rand", "uuid"];

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    let core = ["--package", "lease-core", "--no-default-features"];
    let tree = Cargo::new(["tree", "--edges", "normal", "--prefix", "none"]).args(core).output()?;
    let impure = impure(&tree);
    if !impure.is_empty() {
        bail!(
            "lease-core without its features depends on {}; make them optional, behind the feature \"kube\"",
            impure.join(", ")
        );
    }
    // The step `lint` has every feature on, and does not see what is unused without them.
    for features in [&[][..], &["--features", "mutants"]] {
        Cargo::new(["clippy", "--lib"]).args(core).args(features).args(["--", "-D", "warnings"]).run()?;
    }
    Ok(StepStatus::Passed(format!("{} dependencies", tree.lines().count().saturating_sub(1))))
}

fn impure(tree: &str) -> Vec<&str> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    names.filter(|name| BANNED.iter().any(|banned| name.split('-').next() == Some(banned))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_crates_and_their_families_are_found() {
        let tree =
            "lease-core v0.1.0 (/x)\njiff v0.2.1\ntokio-util v0.7.0\nkube v5.0.0\nkubernetes v1.0.0 (*)\n";
        assert_eq!(impure(tree), ["tokio-util", "kube"]);
    }
}
