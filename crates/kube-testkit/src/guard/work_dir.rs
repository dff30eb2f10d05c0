//! A temporary directory that is removed even when its owner is killed.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const GUARDIAN: &str = include_str!("work_dir.sh");

/// A temporary directory that goes with this value, or with this process, whichever ends first.
///
/// Programs that were started with [`GuardedCommand::within`](super::GuardedCommand::within) it are ended first.
/// With `KUBE_TESTKIT_KEEP=1` in the environment it stays, and its path is printed.
#[derive(Debug)]
pub struct WorkDir {
    path: PathBuf,
    guardian: Child,
}

impl WorkDir {
    /// Makes an empty directory under the system's directory for temporary files.
    ///
    /// # Errors
    ///
    /// The directory could not be made, or its guardian could not be started.
    pub fn create() -> io::Result<Self> {
        Self::create_in(&std::env::temp_dir())
    }

    /// Makes an empty directory in another one.
    ///
    /// # Errors
    ///
    /// The directory could not be made, or its guardian could not be started.
    pub fn create_in(parent: &Path) -> io::Result<Self> {
        let path = tempfile::Builder::new().prefix("kube-testkit-").tempdir_in(parent)?.keep();
        std::fs::create_dir(path.join(".guards"))?;
        let guardian = Command::new("sh")
            .arg("-c")
            .arg(GUARDIAN)
            .arg("work-dir")
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let mut dir = Self { path, guardian };
        if std::env::var_os("KUBE_TESTKIT_KEEP").is_some_and(|value| value == "1") {
            dir.keep();
        }
        Ok(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory where it is, to be looked at, and prints its path.
    pub fn keep(&mut self) {
        let _ = writeln!(io::stderr(), "kube-testkit: keeping {}", self.path.display());
        self.tell("keep");
    }

    /// Where guardians leave their marks.
    pub(super) fn marks(&self) -> PathBuf {
        self.path.join(".guards")
    }

    fn tell(&mut self, word: &str) {
        if let Some(stdin) = &mut self.guardian.stdin {
            // Should the guardian have been killed, there is nobody to tell and nothing to do about it.
            let _ = writeln!(stdin, "{word}");
        }
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        self.tell("now");
        self.guardian.stdin.take();
        let _ = self.guardian.wait();
    }
}
