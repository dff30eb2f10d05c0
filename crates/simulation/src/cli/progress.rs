//! How far it is: a bar for people, a line now and then for logs.

use std::cell::{Cell, RefCell};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use simulation::run_report::RunReport;

/// Where nobody watches, this often a line is enough.
const QUIET: Duration = Duration::from_secs(10);

pub(super) struct Progress {
    bar: ProgressBar,
    what: String,
    failed: Cell<usize>,
    /// When the last line was written; `None` on a terminal.
    last_line: Option<RefCell<Instant>>,
}

impl Progress {
    pub(super) fn new(what: &str, count: usize) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} ({per_sec}, {eta} left)");
        bar.set_style(style.expect("the template is well-formed"));
        bar.set_message(what.to_owned());
        let last_line = (!on_terminal).then(|| RefCell::new(Instant::now()));
        Self { bar, what: what.to_owned(), failed: Cell::new(0), last_line }
    }

    pub(super) fn add(&self, report: &RunReport) {
        if let Some(violation) = report.violations.first() {
            self.failed.set(self.failed.get() + 1);
            let line = format!("seed {}: {}: {}", report.seed, violation.checker, violation.sentence);
            self.bar.suspend(|| eprintln!("{line}"));
        }
        self.bar.inc(1);
        self.bar.set_message(match self.failed.get() {
            0 => self.what.clone(),
            failed => format!("{} ({failed} failed)", self.what),
        });
        if let Some(last_line) = &self.last_line
            && last_line.borrow().elapsed() >= QUIET
        {
            last_line.replace(Instant::now());
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            eprintln!("{}: {done} of {all}, {} failed", self.what, self.failed.get());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
