//! The status of a step, and the counts of a test run.

use anyhow::{Result, bail};

/// The status of a step that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepStatus {
    /// It passed; a short note for the table.
    Passed(String),
    /// It could not run on this machine, and why.
    Skipped(String),
}

/// What cargo's test harness reported, summed over all binaries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Counts {
    /// Adds the closing line of a test binary, `test result: ok. 3 passed; 0 failed; 1 ignored; …`; false for
    /// other lines.
    pub(crate) fn add_line(&mut self, line: &str) -> bool {
        let Some(rest) = line.strip_prefix("test result: ") else { return false };
        for part in rest.split([';', '.']) {
            let mut words = part.split_whitespace();
            let (Some(Ok(number)), Some(word)) = (words.next().map(str::parse::<u64>), words.next()) else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
        true
    }

    /// Passes if there were tests and none failed: a filter that matches nothing proves nothing.
    pub(crate) fn status(&self, ok: bool) -> Result<StepStatus> {
        let Self { passed, failed, ignored } = self;
        let sums = format!("{passed} passed, {failed} failed, {ignored} ignored");
        if !ok || *failed > 0 {
            bail!("cargo test failed: {sums}");
        }
        if *passed == 0 {
            bail!("no test ran");
        }
        Ok(StepStatus::Passed(if *ignored > 0 { sums } else { format!("{passed} passed") }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_summed() {
        let mut counts = Counts::default();
        assert!(counts.add_line(
            "test result: ok. 58 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.43s"
        ));
        assert!(counts.add_line("test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 9 filtered out; finished in 1.00s"));
        assert!(!counts.add_line("test a::b ... ok"));
        assert_eq!(counts, Counts { passed: 59, failed: 3, ignored: 2 });
    }

    #[test]
    fn no_tests_are_no_pass() {
        assert!(Counts::default().status(true).is_err());
        assert!(Counts { passed: 1, ..Counts::default() }.status(true).is_ok());
        assert!(Counts { passed: 1, ..Counts::default() }.status(false).is_err());
    }
}
