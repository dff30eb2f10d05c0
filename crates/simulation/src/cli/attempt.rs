//! One schedule, in a process of its own.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use simulation::run_report::{RunReport, Violation};
use tokio::process::Command;

/// How long one schedule may take, of real time. The largest take some seconds.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// The checker that a process is named with that did not end in time.
pub(super) const HUNG: &str = "hung";
/// The checker that a process is named with that ended without a report.
pub(super) const BROKE: &str = "broke";

/// What is to be run.
#[derive(Clone, Debug)]
pub(super) enum Which {
    /// The schedule of a seed.
    Seed(u64),
    /// A schedule that was written down, and its seed.
    File(PathBuf, u64),
}

/// A run to be made.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) which: Which,
    pub(super) mutant: Option<String>,
}

impl Attempt {
    pub(super) fn of_seed(seed: u64, mutant: Option<&str>) -> Self {
        Self { which: Which::Seed(seed), mutant: mutant.map(str::to_owned) }
    }

    /// What came of it. A process that hangs or breaks has violated something too, under a name of its own. If this is
    /// dropped, the process is killed.
    pub(super) async fn run(&self) -> Result<RunReport> {
        Ok(self.run_with(&[]).await?.0)
    }

    /// The same, with what the process printed before its report.
    pub(super) async fn run_with_timeline(&self) -> Result<(RunReport, String)> {
        self.run_with(&["--timeline"]).await
    }

    /// Without the program's name, for people to copy.
    pub(super) fn args(&self) -> Vec<String> {
        let mut args = match &self.which {
            Which::Seed(seed) => vec!["--seed".to_owned(), seed.to_string()],
            Which::File(file, _) => vec!["--schedule".to_owned(), file.display().to_string()],
        };
        if let Some(mutant) = &self.mutant {
            args.extend(["--mutant".to_owned(), mutant.clone()]);
        }
        args
    }

    async fn run_with(&self, more: &[&str]) -> Result<(RunReport, String)> {
        let program = std::env::current_exe().context("this program's own path is unknown")?;
        let child = Command::new(&program)
            .arg("one")
            .args(self.args())
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} could not be started", program.display()))?;
        let Ok(output) = tokio::time::timeout(TIME_LIMIT, child.wait_with_output()).await else {
            let sentence =
                format!("The process did not end within {} s and was killed.", TIME_LIMIT.as_secs());
            return Ok((self.violated(HUNG, sentence), String::new()));
        };
        let output = output.context("a process could not be waited for")?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let (before, last) = stdout.trim_end().rsplit_once('\n').unwrap_or(("", stdout.trim_end()));
        Ok(match serde_json::from_str(last) {
            Ok(report) => (report, before.to_owned()),
            Err(_) => (self.violated(BROKE, last_words(output.status, &output.stderr)), String::new()),
        })
    }

    fn violated(&self, checker: &str, sentence: String) -> RunReport {
        let (Which::Seed(seed) | Which::File(_, seed)) = self.which;
        let violation = Violation { checker: checker.to_owned(), sentence, at: None };
        RunReport { seed, violations: vec![violation], ..RunReport::default() }
    }
}

/// How a process ended, and what it said: where it panicked, else its last line.
fn last_words(status: ExitStatus, stderr: &[u8]) -> String {
    let stderr = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let panic = lines.iter().position(|line| line.contains("panicked at"));
    let said = panic.map_or_else(
        || lines.last().copied().unwrap_or("nothing").to_owned(),
        |at| lines[at..].iter().take(2).copied().collect::<Vec<_>>().join(" "),
    );
    format!("The process ended without a report ({status}); it said: {said}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_panic_is_quoted_rather_than_its_backtrace() {
        let stderr =
            b"thread 'main' panicked at src/world.rs:7:3:\nno such slot\nstack backtrace:\n  0: main\n";
        let said = last_words(ExitStatus::from_raw(101 << 8), stderr);
        assert!(said.ends_with("panicked at src/world.rs:7:3: no such slot"), "{said}");
        let said = last_words(ExitStatus::from_raw(9), b"");
        assert!(said.contains("signal: 9") && said.ends_with("nothing"), "{said}");
    }

    #[test]
    fn what_is_asked_for_can_be_asked_for_again() {
        let attempt = Attempt::of_seed(7, Some("skip-drain"));
        assert_eq!(attempt.args(), ["--seed", "7", "--mutant", "skip-drain"]);
        let file = Attempt { which: Which::File("a.json".into(), 7), mutant: None };
        assert_eq!(file.args(), ["--schedule", "a.json"]);
    }
}
