//! Builds a program from its Go module, in a scratch directory under the cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use super::progress::{say, watch};
use super::recipe::{Program, Recipe, staged_modules};
use crate::error::{StartError, io_error, tail_of};
use crate::guard::{Exit, GuardedCommand, WorkDir};
use crate::versions;

/// Builds `program` into `cache` and returns where it is.
///
/// Two processes that want the same program do not build it twice: the second waits for the first. A build that is
/// interrupted leaves no half-written program, as the finished one is renamed into place.
pub(super) fn build(program: Program, go: &Path, cache: &Path) -> Result<PathBuf, StartError> {
    fs::create_dir_all(cache).map_err(|error| io_error("create", cache, error))?;
    let target = cache.join(program.name());
    let _lock = lock(&cache.join(format!("{}.lock", program.name())), program)?;
    if target.exists() {
        return Ok(target);
    }
    let scratch = WorkDir::create_in(cache).map_err(|error| io_error("make a directory in", cache, error))?;
    let recipe = program.recipe()?;
    let started = Instant::now();
    say(&format!("building {} {} (once; kept in {})", program.name(), recipe.version, cache.display()));
    let workshop = Workshop { program, go, scratch: &scratch };
    workshop.prepare(&recipe)?;
    let built = workshop.compile(&recipe)?;
    fs::rename(&built, &target).map_err(|error| io_error("move into place", &target, error))?;
    say(&format!("built {} in {} s", program.name(), started.elapsed().as_secs()));
    Ok(target)
}

/// Takes the lock file, which the system releases when this process ends in whatever way.
fn lock(path: &Path, program: Program) -> Result<File, StartError> {
    let file = File::create(path).map_err(|error| io_error("create", path, error))?;
    if file.try_lock().is_err() {
        say(&format!("waiting for another process that builds {}", program.name()));
        file.lock().map_err(|error| io_error("lock", path, error))?;
    }
    Ok(file)
}

/// Static programs, so that they also run in an image made from scratch; and nothing of a workspace around the cache.
const ENVIRONMENT: [(&str, &str); 3] = [("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=mod"), ("GOWORK", "off")];

struct Workshop<'a> {
    program: Program,
    go: &'a Path,
    scratch: &'a WorkDir,
}

impl Workshop<'_> {
    /// Writes a `go.mod` that requires the program's module.
    fn prepare(&self, recipe: &Recipe) -> Result<(), StartError> {
        let module = format!("{}@{}", recipe.module, recipe.version);
        self.run(&["mod", "init", "build.invalid/kube-testkit"])?;
        self.run(&["mod", "edit", &format!("-require={module}")])?;
        if recipe.staging {
            say(&format!("{}: fetching {module}", self.program.name()));
            let path = self.go_mod_of(&module)?;
            let go_mod = fs::read_to_string(&path).map_err(|error| io_error("read", &path, error))?;
            let staging = versions::staging_of(&recipe.version);
            for staged in staged_modules(&go_mod) {
                let replace = format!("-replace={staged}={staged}@{staging}");
                self.run(&["mod", "edit", &replace])?;
            }
        }
        Ok(())
    }

    /// Where Go has put the module's own `go.mod`.
    fn go_mod_of(&self, module: &str) -> Result<PathBuf, StartError> {
        let output = self.run(&["mod", "download", "-json", module])?;
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let path = answer.get("GoMod").and_then(serde_json::Value::as_str);
        path.map(PathBuf::from).ok_or_else(|| self.failed("go mod download", "its answer names no GoMod"))
    }

    fn compile(&self, recipe: &Recipe) -> Result<PathBuf, StartError> {
        let (built, log) = (self.path(self.program.name()), self.path("build.log"));
        // Under a guardian, as it takes minutes, which are time enough to lose patience.
        let command = GuardedCommand::new(self.go)
            .args(["build", "-v", "-trimpath", "-ldflags", &recipe.ldflags(), "-o"])
            .arg(&built)
            .arg(recipe.package)
            .current_dir(self.scratch.path())
            .stderr(&log)
            .within(self.scratch);
        let command = ENVIRONMENT.iter().fold(command, |command, (name, value)| command.env(name, value));
        let command = command.env("GOTMPDIR", self.scratch.path());
        let child = command.spawn().map_err(|error| io_error("run", self.go, error))?;
        match watch(self.program.name(), &child, &log) {
            Exit::Code(0) => Ok(built),
            exit => Err(self.failed(&format!("go build ({exit})"), &tail_of(&log))),
        }
    }

    fn run(&self, args: &[&str]) -> Result<Output, StartError> {
        let output = self.command().args(args).output().map_err(|error| io_error("run", self.go, error))?;
        if output.status.success() {
            return Ok(output);
        }
        let text = [output.stdout, output.stderr].concat();
        Err(self.failed(&format!("go {}", args.join(" ")), &String::from_utf8_lossy(&text)))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.go);
        command.current_dir(self.scratch.path()).envs(ENVIRONMENT).stdin(Stdio::null());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn failed(&self, step: &str, output: &str) -> StartError {
        StartError::Build {
            program: self.program.name().to_owned(),
            step: step.to_owned(),
            output: output.trim_end().to_owned(),
        }
    }
}
