//! The live table on a terminal, and plain progress lines elsewhere.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use comfy_table::{Cell, CellAlignment, Table, presets};
use jiff::Timestamp;

use super::view::View;
use ::fleet::held_by_pod;

/// How often progress is printed where nothing can be redrawn.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// Where the demo shows itself.
pub(super) struct Screen {
    terminal: bool,
    /// Lines of the table that stand below the last message.
    drawn: usize,
    last_plain: Option<Instant>,
    last_line: String,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
            drawn: 0,
            last_plain: None,
            last_line: String::new(),
        }
    }

    /// Prints a message that stays.
    pub(super) fn say(&mut self, message: &str) {
        self.erase();
        println!("{message}");
    }

    /// Shows the present state: the whole table on a terminal; elsewhere one line now and then, when it has
    /// changed.
    pub(super) fn show(&mut self, waiting_for: &str, view: &View) {
        if self.terminal {
            let table = format!("{}\n{}", table(view), status(waiting_for, view));
            self.erase();
            println!("{table}");
            self.drawn = table.lines().count();
            return;
        }
        let line = status(waiting_for, view);
        let due = self.last_plain.is_none_or(|last| last.elapsed() >= PLAIN_EVERY);
        if due && line != self.last_line {
            println!("{line}");
            (self.last_plain, self.last_line) = (Some(Instant::now()), line);
        }
    }

    /// Leaves the table where it stands, whole, on any kind of output.
    pub(super) fn keep(&mut self, view: &View) {
        self.erase();
        println!("{}", table(view));
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            // Up to the table's first line, and clear from there on.
            print!("\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
        // A terminal that does not take it is no reason to end the demo.
        let _ = std::io::stdout().flush();
    }
}

fn table(view: &View) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["SHARD", "HOLDER", "SINCE", "CRs", "TRANSITIONS"]);
    let now = Timestamp::now();
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    for lease in &view.leases {
        let since = lease
            .since
            .filter(|_| lease.holder.is_some())
            .map_or("-".to_owned(), |since| format!("{} s", now.duration_since(since).as_secs().max(0)));
        table.add_row([
            right(lease.shard.to_string()),
            Cell::new(lease.pod().unwrap_or("(nobody)")),
            right(since),
            right(view.crs.get(&lease.shard).copied().unwrap_or_default().to_string()),
            right(lease.transitions.to_string()),
        ]);
    }
    table
}

fn status(waiting_for: &str, view: &View) -> String {
    let mut line = format!("{:>3} of {} reconciled; shards:", view.reconciled, view.resources);
    let held = held_by_pod(&view.leases);
    for (pod, state) in &view.pods {
        let held = held.get(pod.as_str()).copied().unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(line, " {pod} {held}{state}");
    }
    if !waiting_for.is_empty() {
        let _ = write!(line, "; waiting for {waiting_for}");
    }
    line
}
