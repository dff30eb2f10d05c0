//! What happened, line by line. The same seed gives the same lines.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};

use crate::time::TrueTime;

/// The trace of a run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    text: String,
    digest: DefaultHasher,
    keep: bool,
}

impl Trace {
    /// A trace that keeps its lines, or only their digest.
    pub fn new(keep: bool) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Adds a line.
    pub fn line(&mut self, at: TrueTime, what: std::fmt::Arguments<'_>) {
        let from = self.text.len();
        writeln!(self.text, "{at} {what}").expect("a string takes any line");
        self.digest.write(&self.text.as_bytes()[from..]);
        if !self.keep {
            self.text.clear();
        }
    }

    /// The lines; none if they were not to be kept.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Of all lines so far.
    pub fn digest(&self) -> String {
        format!("{:016x}", self.digest.finish())
    }
}
