//! Processes that end when this one does, however it ends: they watch their standard input.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// Starts what its arguments name, and kills it once standard input ends.
const GUARD: &str = r#""$@" <&- & child=$!; read -r _; kill -KILL "$child"; wait "$child""#;

/// A process that ends once its standard input does.
pub(super) struct Companion(Child);

impl Companion {
    /// Starts a program that reads its standard input to the end and then ends by itself.
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::piped()).spawn();
        Ok(Self(child.with_context(|| format!("{program} could not be started"))?))
    }

    /// Starts a program that would never end, under a shell that kills it once standard input ends. What it says goes to `log`.
    pub(super) fn start_guarded(command: &Command, log: &Path) -> Result<Self> {
        let log = File::create(log).with_context(|| format!("{} could not be made", log.display()))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARD, "sh"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        Self::start(shell.stdout(Stdio::null()).stderr(log))
    }

    /// What it prints first, if its output was asked for.
    pub(super) fn first_line(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("its output was not asked for")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("its output could not be read")?;
        if line.is_empty() {
            bail!("it ended without a word on its standard output");
        }
        Ok(line)
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_is_guarded_ends_with_its_companion() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("pid");
        let mut command = Command::new("sh");
        command.args([
            "-c",
            r#"echo $$ >"$PID_FILE.unfinished"; mv "$PID_FILE.unfinished" "$PID_FILE"; exec sleep 600"#,
        ]);
        command.env("PID_FILE", &file);
        let companion = Companion::start_guarded(&command, &dir.path().join("log")).expect("a shell");
        let deadline = Instant::now() + Duration::from_secs(60);
        let pid = loop {
            if let Ok(pid) = std::fs::read_to_string(&file) {
                break pid;
            }
            assert!(Instant::now() < deadline, "the process did not write its pid within a minute");
            std::thread::sleep(Duration::from_millis(5));
        };
        let process = Path::new("/proc").join(pid.trim());
        assert!(process.exists(), "it runs");
        drop(companion);
        assert!(!process.exists(), "it still runs");
    }
}
