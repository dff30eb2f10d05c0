//! The file of `--json`, which says at each moment what has come of the demo so far.

use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};

use super::DemoOptions;
use super::judgement::Summary;

/// The file, if one was asked for. It is written at once, so that a demo that is killed leaves one that says so, and a path that cannot be
/// written is found out before anything is started.
pub(super) struct JsonFile {
    path: Option<PathBuf>,
    summary: Summary,
}

impl JsonFile {
    /// Writes that the demo has not come to its end.
    pub(super) fn create(options: &DemoOptions) -> Result<Self> {
        let why = "The demo has not come to its end: it is still running, or was killed.";
        let file = Self { path: options.json.clone(), summary: Summary::unfinished(options, why.to_owned()) };
        file.write()?;
        Ok(file)
    }

    /// Writes the result of a demo that has come to its end.
    pub(super) fn finish(&mut self, summary: Summary) -> Result<()> {
        self.summary = summary;
        self.write()
    }

    /// Writes why the demo ended before its end, or failed in spite of its result.
    pub(super) fn fail(&mut self, options: &DemoOptions, error: &Error) -> Result<()> {
        let why = format!("{error:#}.");
        if !self.summary.is_finished() {
            self.summary = Summary::unfinished(options, why);
        } else if self.summary.passed {
            self.summary.passed = false;
            self.summary.failures.push(why);
        }
        self.write()
    }

    fn write(&self) -> Result<()> {
        self.path.as_deref().map_or(Ok(()), |path| write(path, &self.summary))
    }
}

fn write(path: &Path, summary: &Summary) -> Result<()> {
    let json = serde_json::to_string_pretty(summary).context("the result could not be serialised")?;
    std::fs::write(path, json + "\n").with_context(|| format!("{} could not be written", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use kube_testkit::WorkDir;
    use serde_json::Value;

    use super::*;

    fn read(path: &Path) -> Value {
        serde_json::from_str(&std::fs::read_to_string(path).expect("it is written")).expect("JSON")
    }

    #[test]
    fn a_demo_that_is_killed_or_fails_leaves_a_file_that_says_so() {
        let dir = WorkDir::create().expect("a directory");
        let path = dir.path().join("result.json");
        let options = DemoOptions::parse_from(["demo", "--replicas", "5", "--json", path.to_str().unwrap()]);
        let mut file = JsonFile::create(&options).expect("written");
        let begun = read(&path);
        assert_eq!((&begun["passed"], &begun["replicas"]), (&false.into(), &5.into()), "{begun}");
        assert!(begun["failures"][0].as_str().unwrap().contains("still running, or was killed"), "{begun}");

        let error = Error::msg("refused").context("the API server could not be started");
        file.fail(&options, &error).expect("written");
        let failed = read(&path);
        let expected: Value = serde_json::json!(["the API server could not be started: refused."]);
        assert_eq!((&failed["passed"], &failed["failures"]), (&false.into(), &expected), "{failed}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_before_anything_is_started() {
        let options = DemoOptions::parse_from(["demo", "--json", "/proc/no-such-directory/result.json"]);
        let refused = JsonFile::create(&options).err().expect("no such directory").to_string();
        assert!(refused.contains("/proc/no-such-directory/result.json could not be written"), "{refused}");
    }
}
