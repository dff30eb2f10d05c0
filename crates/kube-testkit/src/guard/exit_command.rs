//! A last command, for what no guardian can hold: things that live in another program, such as containers.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = include_str!("exit_command.sh");

/// Runs a command once this process is gone, in whatever way. Dropping it means that the command is not needed.
#[derive(Debug)]
pub(crate) struct ExitCommand {
    guardian: Child,
}

impl ExitCommand {
    pub(crate) fn new(command: impl IntoIterator<Item = impl AsRef<OsStr>>) -> io::Result<Self> {
        let mut guardian = Command::new("sh");
        guardian.arg("-c").arg(SCRIPT).arg("exit-command").args(command);
        guardian.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Ok(Self { guardian: guardian.spawn()? })
    }
}

impl Drop for ExitCommand {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.guardian.stdin.take() {
            let _ = writeln!(stdin, "not needed");
        }
        let _ = self.guardian.wait();
    }
}
