//! Tables in Markdown: a column for each operator.

use std::fmt::Write as _;

use crate::usage::Memory;

/// Rows are added one by one.
pub(super) struct Table {
    text: String,
}

impl Table {
    pub(super) fn new(columns: impl Iterator<Item = String> + Clone) -> Self {
        let mut table = Self { text: String::new() };
        table.row("", columns.clone());
        table.row("---", columns.map(|_| "---:".to_owned()));
        table
    }

    pub(super) fn row(&mut self, name: &str, values: impl Iterator<Item = String>) {
        let cells = values.fold(format!("| {name} |"), |mut line, value| {
            let _ = write!(line, " {value} |");
            line
        });
        self.text += &cells;
        self.text.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// With two digits that say something, and no more.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 0.01 => "< 0.01".to_owned(),
        small if small < 1.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// In MiB.
#[allow(clippy::cast_precision_loss, reason = "no machine has so much memory")]
pub(super) fn mebibytes(bytes: f64) -> String {
    number(bytes / 1024.0 / 1024.0)
}

/// Of what was counted.
#[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
pub(super) fn each(count: u64, of: u32) -> f64 {
    count as f64 / f64::from(of)
}

/// Of the memory of replicas, in bytes: all that is resident.
pub(super) fn mean_resident(replicas: &[Memory]) -> f64 {
    mean(replicas.iter().map(|memory| memory.resident))
}

/// Likewise: what they have allocated.
pub(super) fn mean_allocated(replicas: &[Memory]) -> f64 {
    mean(replicas.iter().map(|memory| memory.allocated))
}

#[allow(clippy::cast_precision_loss, reason = "no machine has so much memory")]
fn mean(values: impl ExactSizeIterator<Item = u64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<u64>() as f64 / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_exact_as_they_are_of_use() {
        let shown = [0.0, 0.001, 0.123, 5.0, 12.34, 1234.5].map(number);
        assert_eq!(shown, ["0", "< 0.01", "0.12", "5.0", "12.3", "1234"]);
    }

    #[test]
    fn a_table_has_a_column_for_each() {
        let mut table = Table::new(["a", "b"].map(str::to_owned).into_iter());
        table.row("x", ["1", "2"].map(str::to_owned).into_iter());
        assert_eq!(table.finish(), "|  | a | b |\n| --- | ---: | ---: |\n| x | 1 | 2 |\n");
    }
}
