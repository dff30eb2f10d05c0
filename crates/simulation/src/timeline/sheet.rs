//! Rows and columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use comfy_table::{ContentArrangement, Table, presets};

use super::events::{Column, Event};
use super::focus::Focus;
use crate::observations::Observations;
use crate::schedule::Slot;
use crate::time::TrueTime;

/// More rows than this nobody reads; those nearest to the violation are kept.
const ROWS: usize = 100;

/// The widths of the times and of every other column.
const TIME_WIDTH: u16 = 11;
const WIDTH: u16 = 44;

/// A timeline in the making.
pub(super) struct Sheet {
    slots: usize,
    violated_at: Option<TrueTime>,
    rows: BTreeMap<TrueTime, Vec<(Column, String)>>,
}

impl Sheet {
    pub(super) fn new(observations: &Observations, focus: &Focus) -> Self {
        Self {
            slots: observations.schedule.replicas.len(),
            violated_at: focus.violated_at,
            rows: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, event: Event) {
        self.rows.entry(event.at).or_default().push((event.column, event.text));
    }

    /// Which rows are shown: a stretch that holds the violation, most of it before, or the last ones.
    fn shown(&self) -> std::ops::Range<usize> {
        let violated_at = self.violated_at.unwrap_or(TrueTime::after_start(std::time::Duration::MAX));
        let until = self.rows.keys().take_while(|at| **at <= violated_at).count();
        let end = self.rows.len().min(until + ROWS / 4);
        end.saturating_sub(ROWS)..end
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.shown();
        let rows = || self.rows.iter().skip(shown.start).take(shown.len());
        let used: BTreeSet<_> = rows().flat_map(|(_, cells)| cells).map(|(column, _)| *column).collect();
        let slots = (0..self.slots).map(|slot| Column::Slot(Slot(slot)));
        let columns: Vec<_> = slots.chain([Column::World]).filter(|column| used.contains(column)).collect();

        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        let others = u16::try_from(columns.len()).unwrap_or(1);
        table.set_width(TIME_WIDTH + WIDTH * others);
        table.set_header(
            std::iter::once("time".to_owned()).chain(columns.iter().map(|column| column.title())),
        );
        for (at, cells) in rows() {
            let cell = |column: &Column| {
                let texts = cells.iter().filter(|(of, _)| of == column).map(|(_, text)| text.as_str());
                texts.collect::<Vec<_>>().join("\n")
            };
            table.add_row(std::iter::once(at.to_string()).chain(columns.iter().map(cell)));
        }
        if shown.start > 0 {
            writeln!(f, "({} earlier rows are left out)", shown.start)?;
        }
        writeln!(f, "{table}")?;
        let later = self.rows.len() - shown.end;
        if later > 0 {
            writeln!(f, "({later} later rows are left out)")?;
        }
        Ok(())
    }
}
