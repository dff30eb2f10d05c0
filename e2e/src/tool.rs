//! Running docker, kind, helm and kubectl.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// No program that is called here takes longer unless it hangs.
const LONGEST: Duration = Duration::from_secs(900);

/// One call of a program.
pub(crate) struct Tool {
    command: Command,
    input: Option<Vec<u8>>,
    within: Duration,
}

/// What a program that may fail has printed.
pub(crate) struct Printed {
    pub(crate) ok: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Tool {
    pub(crate) fn new(program: &str) -> Self {
        let mut command = Command::new(program);
        command.kill_on_drop(true);
        Self { command, input: None, within: LONGEST }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn kubeconfig(mut self, path: &Path) -> Self {
        self.command.env("KUBECONFIG", path);
        self
    }

    pub(crate) fn dir(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// What it reads from standard input.
    pub(crate) fn input(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Runs it; an error unless it succeeds.
    pub(crate) async fn run(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes().await?).into_owned())
    }

    /// Like [`Self::run`], for output that is no text.
    pub(crate) async fn bytes(self) -> Result<Vec<u8>> {
        let line = self.line();
        let printed = self.attempt().await?;
        if !printed.ok {
            let said = if printed.stderr.trim().is_empty() {
                String::from_utf8_lossy(&printed.stdout).into_owned()
            } else {
                printed.stderr
            };
            bail!("`{line}` failed: {}", last_lines(&said, 12));
        }
        Ok(printed.stdout)
    }

    /// Runs it; an error only if it cannot be run, or not in time.
    pub(crate) async fn attempt(mut self) -> Result<Printed> {
        let line = self.line();
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        let command = self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("`{line}` could not be started; is the program installed?"))?;
        let stdin = child.stdin.take();
        let input = self.input.take();
        let feed = async move {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // A program that ends without reading all of it says why by itself.
                let _ = stdin.write_all(&input).await;
            }
        };
        let ended =
            tokio::time::timeout(self.within, async { tokio::join!(feed, child.wait_with_output()).1 }).await;
        let output = ended.with_context(|| format!("`{line}` has not ended within {:?}", self.within))??;
        Ok(Printed {
            ok: output.status.success(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn line(&self) -> String {
        let command = self.command.as_std();
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        let line = words.join(" ").replace('\n', " ");
        if line.chars().count() > 200 {
            format!("{}…", line.chars().take(200).collect::<String>())
        } else {
            line
        }
    }
}

/// The end of a text, in one line.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fails_says_which_command_and_why() {
        let error =
            Tool::new("sh").args(["-c", "echo because >&2; exit 3"]).run().await.expect_err("it fails");
        let text = error.to_string();
        assert!(text.contains("sh -c") && text.contains("because"), "{text}");
    }

    #[tokio::test]
    async fn input_arrives() {
        assert_eq!(Tool::new("cat").input("hello").run().await.expect("cat works"), "hello");
    }
}
