//! What to run under a guardian.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{GuardedChild, WorkDir};

const GUARDIAN: &str = include_str!("guardian.sh");

/// A program to be run as a [`GuardedChild`].
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use kube_testkit::guard::GuardedCommand;
///
/// let child = GuardedCommand::new("sleep").arg("60").spawn()?;
/// println!("runs as {}", child.pid());
/// drop(child); // killed; and it would also be, had this process been killed itself
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GuardedCommand {
    program: PathBuf,
    args: Vec<OsString>,
    envs: Vec<(OsString, Option<OsString>)>,
    current_dir: Option<PathBuf>,
    stdout: PathBuf,
    stderr: PathBuf,
    grace: Duration,
    marks: PathBuf,
}

impl GuardedCommand {
    /// A command without arguments whose output is discarded.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            envs: Vec::new(),
            current_dir: None,
            stdout: "/dev/null".into(),
            stderr: "/dev/null".into(),
            grace: Duration::ZERO,
            marks: PathBuf::new(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable; the rest is inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.as_ref().to_owned(), Some(value.as_ref().to_owned())));
        self
    }

    /// Removes an environment variable that would be inherited.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.as_ref().to_owned(), None));
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn current_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.current_dir = Some(dir.into());
        self
    }

    /// Appends standard output to a file.
    #[must_use]
    pub fn stdout(mut self, file: impl Into<PathBuf>) -> Self {
        self.stdout = file.into();
        self
    }

    /// Appends standard error to a file, which may be the same as for standard output.
    #[must_use]
    pub fn stderr(mut self, file: impl Into<PathBuf>) -> Self {
        self.stderr = file.into();
        self
    }

    /// How long the program has between SIGTERM and SIGKILL once this process has died without ending it.
    ///
    /// Zero, the default, means SIGKILL at once. Counted in tenths of a second. Dropping a [`GuardedChild`] kills at
    /// once in any case.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Says that the program writes into this directory, which is then removed only after the program has ended.
    #[must_use]
    pub fn within(mut self, dir: &WorkDir) -> Self {
        self.marks = dir.marks();
        self
    }

    /// The program to run.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Starts the program under its guardian.
    ///
    /// # Errors
    ///
    /// `NotFound` if the program is given as a path at which there is nothing; otherwise what starting `sh` gives.
    /// A program that is looked up in `PATH` and not found ends with exit code 127.
    pub fn spawn(&self) -> io::Result<GuardedChild> {
        let is_path = self.program.components().count() > 1;
        if is_path && !self.program.exists() {
            let message = format!("there is no program at {}", self.program.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        let mut guardian = Command::new("sh");
        guardian.arg("-c").arg(GUARDIAN).arg("guardian");
        guardian.arg((self.grace.as_millis() / 100).to_string()).arg(&self.marks);
        guardian.arg(&self.stdout).arg(&self.stderr).arg(&self.program).args(&self.args);
        for (name, value) in &self.envs {
            match value {
                Some(value) => guardian.env(name, value),
                None => guardian.env_remove(name),
            };
        }
        if let Some(dir) = &self.current_dir {
            guardian.current_dir(dir);
        }
        guardian.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        GuardedChild::adopt(guardian.spawn()?)
    }
}
