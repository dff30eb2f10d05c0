//! Signs of life during a build that takes minutes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

/// Prints a line straight to standard error, where the test harness's capture does not swallow it.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "kube-testkit: {line}");
}

/// Reads what `go build -v` prints, one package a line, and says every few seconds how far it is. Returns the text.
pub(super) fn watch(what: &str, output: impl Read) -> String {
    const EVERY: Duration = Duration::from_secs(5);
    let started = Instant::now();
    let (mut said, mut lines, mut text) = (started, 0_usize, String::new());
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        lines += 1;
        text += &line;
        text.push('\n');
        if said.elapsed() >= EVERY {
            said = Instant::now();
            say(&format!("{what}: {} s, {lines} packages so far", started.elapsed().as_secs()));
        }
    }
    text
}
