//! The steps of `cargo xtask test`, one file each.
//!
//! All of them name the same packages and features (`--workspace --all-features`), so that cargo builds
//! nothing twice.

pub(crate) mod alerts;
mod api_server;
pub(crate) mod bench;
pub(crate) mod book;
mod build;
pub(crate) mod chart;
pub(crate) mod demo;
mod deny;
mod doc;
pub(crate) mod e2e;
mod fmt;
pub(crate) mod generate;
pub(crate) mod image;
mod layers;
mod lint;
pub(crate) mod model;
mod mutants;
mod package;
mod purity;
pub(crate) mod schemas;
pub(crate) mod semver;
pub(crate) mod simulation;
mod targets;
mod unit;

use std::path::PathBuf;

use anyhow::Result;

use crate::cargo::{Cargo, Output, TestRun};
use crate::status::StepStatus;

/// One step.
pub(crate) struct Step {
    /// The verb that runs it alone.
    pub(crate) name: &'static str,
    /// Whether a developer in a hurry wants it as well.
    pub(crate) fast: bool,
    pub(crate) run: fn(&mut StepContext) -> Result<StepStatus>,
}

/// In the order of running: what is quick and fails often comes first.
pub(crate) const ALL: [Step; 17] = [
    Step { name: "fmt", fast: true, run: fmt::run },
    Step { name: "layers", fast: true, run: layers::run },
    Step { name: "purity", fast: true, run: purity::run },
    Step { name: "lint", fast: true, run: lint::run },
    Step { name: "doc", fast: false, run: doc::run },
    Step { name: "book", fast: false, run: book::check },
    Step { name: "deny", fast: false, run: deny::run },
    Step { name: "package", fast: false, run: package::run },
    Step { name: "alerts", fast: false, run: alerts::run },
    Step { name: "build", fast: true, run: build::run },
    Step { name: "generate", fast: true, run: generate::check },
    Step { name: "chart", fast: false, run: chart::run },
    Step { name: "unit", fast: true, run: unit::run },
    Step { name: "mutants", fast: false, run: mutants::run },
    Step { name: "sim", fast: false, run: simulation::run },
    Step { name: "model", fast: false, run: model::run },
    Step { name: "api-server", fast: false, run: api_server::run },
];

/// What steps share: how tests are to be run, and what was skipped.
#[derive(Debug, Default)]
pub(crate) struct StepContext {
    /// Where tests write down that they could not run.
    pub(crate) skip_file: Option<PathBuf>,
    /// What tests must not skip for want of, separated by commas, as kube-testkit reads it.
    pub(crate) require: String,
    /// Tests that could not run, one line each with the reason.
    pub(crate) skips: Vec<String>,
}

impl StepContext {
    /// Runs tests and judges them.
    fn test<'a>(&mut self, which: impl IntoIterator<Item = &'a str>) -> Result<StepStatus> {
        let run = self.run_tests(which, Output::AtOnce)?;
        self.judge(run)
    }

    fn run_tests<'a>(&self, which: impl IntoIterator<Item = &'a str>, output: Output) -> Result<TestRun> {
        let mut cargo = Cargo::new(["test", "--workspace", "--all-features", "--no-fail-fast"]).args(which);
        if let Some(file) = &self.skip_file {
            cargo = cargo.env("KUBE_TESTKIT_SKIPS", file);
        }
        if !self.require.is_empty() {
            cargo = cargo.env("KUBE_TESTKIT_REQUIRE", &self.require);
        }
        cargo.run_tests(output)
    }

    fn judge(&mut self, run: TestRun) -> Result<StepStatus> {
        self.skips.extend(run.ignored);
        run.counts.status(run.ok)
    }
}
