//! Signs of life during a build that takes minutes.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::guard::{Exit, GuardedChild};

/// Prints a line straight to standard error, where the test harness's capture does not swallow it.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "kube-testkit: {line}");
}

/// Waits for a `go build -v`, which logs one package a line, and says every few seconds how far it is.
pub(super) fn watch(what: &str, build: &GuardedChild, log: &Path) -> Exit {
    const LOOK: Duration = Duration::from_millis(100);
    const SAY: Duration = Duration::from_secs(5);
    let started = Instant::now();
    let mut said = started;
    loop {
        if let Some(exit) = build.try_exit() {
            return exit;
        }
        if said.elapsed() >= SAY {
            said = Instant::now();
            let packages = std::fs::read_to_string(log).map_or(0, |log| log.lines().count());
            say(&format!("{what}: {} s, {packages} packages so far", started.elapsed().as_secs()));
        }
        std::thread::sleep(LOOK);
    }
}
