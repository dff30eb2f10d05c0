//! The table of `bench scale-out`.

use super::plot::Plot;
use super::table::{Table, number};
use crate::scale_out::Run;

/// A row for each number of replicas, a column for each number of resources and shards.
pub(super) fn table(runs: &[Run]) -> String {
    let mut columns: Vec<(u16, u32)> = runs.iter().map(|run| (run.shards, run.resources)).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut replicas: Vec<u32> = runs.iter().map(|run| run.replicas).collect();
    replicas.sort_unstable();
    replicas.dedup();
    let mut table = Table::new(
        columns.iter().map(|(shards, resources)| format!("{resources} resources, {shards} shards")),
    );
    for replicas in replicas {
        let cells = columns.iter().map(|column| cell(runs, *column, replicas));
        table.row(&format!("{replicas} replica{}", if replicas == 1 { "" } else { "s" }), cells);
    }
    table.finish()
}

/// A line for each number of resources and shards.
pub(super) fn plot(runs: &[Run]) -> Plot {
    let mut columns: Vec<(u16, u32)> = runs.iter().map(|run| (run.shards, run.resources)).collect();
    columns.sort_unstable();
    columns.dedup();
    let line = |column: &(u16, u32)| {
        let mut of_column: Vec<&Run> =
            runs.iter().filter(|run| (run.shards, run.resources) == *column).collect();
        of_column.sort_unstable_by_key(|run| run.replicas);
        let one = of_column.first().map_or(0.0, |run| run.seconds);
        let points = of_column.iter().map(|run| (f64::from(run.replicas), one / run.seconds)).collect();
        (format!("{} resources, {} shards", column.1, column.0), points)
    };
    let lines = columns.iter().map(line).collect();
    Plot::Lines { what: "speedup, relative to one replica", along: "replicas", lines }
}

/// How many times as fast as the fewest replicas, and the time.
fn cell(runs: &[Run], column: (u16, u32), replicas: u32) -> String {
    let of_column = || runs.iter().filter(|run| (run.shards, run.resources) == column);
    let run = of_column().find(|run| run.replicas == replicas);
    let fewest = of_column().min_by_key(|run| run.replicas);
    run.zip(fewest).map_or_else(String::new, |(run, fewest)| {
        format!("{} × ({} s)", number(fewest.seconds / run.seconds), number(run.seconds))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_is_compared_with_its_fewest_replicas() {
        let run = |replicas, seconds| Run { resources: 100, replicas, shards: 4, seconds, busiest: 1 };
        let table = table(&[run(1, 9.0), run(3, 4.5)]);
        assert!(table.contains("| 1 replica | 1.0 × (9.0 s) |\n| 3 replicas | 2.0 × (4.5 s) |"), "{table}");
    }
}
