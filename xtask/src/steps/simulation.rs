//! `cargo xtask sim`: seeded fault schedules in virtual time. See docs/simulation.md.

use std::fs;
use std::path::{PathBuf, absolute};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use tempfile::NamedTempFile;

use super::StepContext;
use crate::cargo::{Cargo, root, target_dir};
use crate::status::StepStatus;

/// So many of the fixed schedules are run twice, to compare the traces.
const TWICE: &str = "4";

/// Which schedules.
#[derive(Args)]
pub(crate) struct SimOptions {
    /// How many schedules of seeds that nobody has tried before
    #[arg(long, value_name = "COUNT", group = "which", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// One schedule, by its seed, with a timeline
    #[arg(long, group = "which")]
    seed: Option<u64>,
    /// One schedule that was written down, with a timeline
    #[arg(long, value_name = "FILE", group = "which")]
    schedule: Option<PathBuf>,
    /// The schedules that every change is tried with
    #[arg(long, group = "which")]
    fixed: bool,
    /// Break one rule after another on purpose and see that each is noticed
    #[arg(long, group = "which")]
    mutants: bool,
    /// Measure the tables of docs/simulation.md anew
    #[arg(long, group = "which")]
    docs: bool,
    /// Begin with this seed, instead of one that nobody has tried before
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seed", "schedule", "fixed", "docs"])]
    first_seed: Option<u64>,
    /// Break this rule on purpose; with --mutants, only this one
    #[arg(long, value_name = "NAME", conflicts_with = "docs")]
    mutant: Option<String>,
    /// Write what came of it to this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "schedule", "docs"])]
    json: Option<PathBuf>,
    /// Write down everything that happens, line by line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "fixed", "mutants", "docs"])]
    trace: Option<PathBuf>,
    /// How many schedules at a time
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["seed", "schedule", "docs"])]
    jobs: Option<usize>,
}

/// Builds the simulation and runs what was asked for.
pub(crate) fn run_verb(options: &SimOptions) -> Result<()> {
    simulation(&options.args())
}

/// The fixed schedules, some of them twice.
pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    let sums = NamedTempFile::new().context("no file could be made for the sums")?;
    let file = sums.path().display().to_string();
    simulation(&["many", "--fixed", "--twice", TWICE, "--json", &file].map(str::to_owned))?;
    let sums = fs::read_to_string(sums.path()).context("the sums could not be read")?;
    let sums: Sums = serde_json::from_str(&sums).context("the sums have a form that is unknown here")?;
    let hours = sums.virtual_seconds / 3_600.0;
    Ok(StepStatus::Passed(format!("{} schedules, {hours:.1} h of virtual time", sums.schedules)))
}

impl SimOptions {
    /// For the program `simulation`, which has a verb for each of these.
    fn args(&self) -> Vec<String> {
        let one = self.seed.is_some() || self.schedule.is_some();
        let verb = match self {
            Self { mutants: true, .. } => "mutants",
            Self { docs: true, .. } => "docs",
            _ if one => "one",
            _ => "many",
        };
        let mut args = vec![verb.to_owned()];
        args.extend(self.fixed.then(|| "--fixed".to_owned()));
        args.extend(one.then(|| "--timeline".to_owned()));
        // The program runs in the workspace's root, wherever this was called.
        let path = |path: &Option<PathBuf>| {
            let path = path.as_ref().map(|path| absolute(path).unwrap_or_else(|_| path.clone()));
            path.map(|path| path.display().to_string())
        };
        let values = [
            ("--seeds", self.seeds.map(|seeds| seeds.to_string())),
            ("--seed", self.seed.map(|seed| seed.to_string())),
            ("--first-seed", self.first_seed.map(|seed| seed.to_string())),
            ("--jobs", self.jobs.map(|jobs| jobs.to_string())),
            ("--mutant", self.mutant.clone()),
            ("--schedule", path(&self.schedule)),
            ("--json", path(&self.json)),
            ("--trace", path(&self.trace)),
        ];
        for (name, value) in values {
            args.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        }
        args
    }
}

/// Builds the simulation and the model, for either of them: named together, their dependencies get the same features, so that cargo
/// builds these once for both.
pub(super) fn build_with_model() -> Result<()> {
    Cargo::new(["build", "--quiet", "--profile", "sim", "--all-features"])
        .args(["--package", "simulation", "--package", "layout-model"])
        .run()
        .context("the simulation and the model could not be built")
}

/// Builds the program and lets it run.
fn simulation(args: &[String]) -> Result<()> {
    build_with_model()?;
    let target = target_dir()?;
    let mut command = Command::new(target.join("sim/simulation"));
    command.args(args).current_dir(root());
    if args[0] == "many" {
        // Beside what cargo builds, wherever that is.
        command.arg("--out").arg(target.join("simulation"));
    }
    let status = command.status().context("the simulation could not be started")?;
    if !status.success() {
        bail!("the simulation failed ({status})");
    }
    Ok(())
}

#[derive(Deserialize)]
struct Sums {
    schedules: usize,
    virtual_seconds: f64,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: SimOptions,
    }

    fn args(line: &str) -> String {
        Cli::parse_from(std::iter::once("sim").chain(line.split_whitespace())).options.args().join(" ")
    }

    #[test]
    fn each_question_has_its_verb() {
        assert_eq!(args(""), "many");
        assert_eq!(args("--seeds 1000 --json /a.json"), "many --seeds 1000 --json /a.json");
        assert_eq!(args("--fixed"), "many --fixed");
        assert_eq!(args("--seed 7 --mutant skip-drain"), "one --timeline --seed 7 --mutant skip-drain");
        assert_eq!(args("--schedule /a.json"), "one --timeline --schedule /a.json");
        assert_eq!(args("--mutants"), "mutants");
        assert_eq!(args("--docs"), "docs");
    }
}
