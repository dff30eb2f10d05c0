//! Progress for people: one line per step, with the time since the start.

use std::time::Instant;

/// Where progress goes.
#[derive(Clone, Copy)]
pub(crate) struct Screen(Instant);

impl Screen {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    /// A line.
    pub(crate) fn say(self, text: &str) {
        let seconds = self.0.elapsed().as_secs();
        println!("[{:>2}:{:02}] {text}", seconds / 60, seconds % 60);
    }
}
