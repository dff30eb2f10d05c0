//! The table and the plot of `bench layout-change`.

use super::distribution::Distribution;
use super::plot::Plot;
use super::table::{Table, number};
use crate::layout_change::{Change, LayoutChanges};

pub(super) fn table(runs: &[LayoutChanges]) -> String {
    let changes = || runs.iter().flat_map(|run| &run.changes);
    let columns: Vec<_> = ["no change".to_owned()]
        .into_iter()
        .chain(changes().map(|change| format!("{} to {}", change.from, change.to)))
        .collect();
    let mut table = Table::new(columns.into_iter());
    let undisturbed = Distribution::of_seconds(runs.iter().flat_map(|run| run.undisturbed.iter().copied()));
    let mut row = |name: &str, first: String, value: &dyn Fn(&Change) -> String| {
        table.row(name, [first].into_iter().chain(changes().map(value)));
    };
    let none = || "–".to_owned();
    row("seconds from the edit of the ConfigMap to the commit", none(), &|change| {
        number(change.commit_seconds)
    });
    row("seconds from the commit until it was settled", none(), &|change| number(change.settle_seconds));
    row("edits meanwhile", undisturbed.count().to_string(), &|change| change.edits.len().to_string());
    for (name, percent) in [("median", 50), ("p99", 99), ("longest", 100)] {
        row(
            &format!("… milliseconds until one was reconciled, {name}"),
            shown(&undisturbed, percent),
            &|change| shown(&edits(change), percent),
        );
    }
    row("resources that went to another shard", none(), &|change| change.moved.len().to_string());
    for (name, percent) in [("median", 50), ("p99", 99), ("longest", 100)] {
        row(
            &format!("… milliseconds from the commit until the new owner had reconciled one, {name}"),
            none(),
            &|change| shown(&Distribution::of_seconds(change.moved.iter().copied()), percent),
        );
    }
    table.finish()
}

fn edits(change: &Change) -> Distribution {
    Distribution::of_seconds(change.edits.iter().copied())
}

fn shown(distribution: &Distribution, percent: usize) -> String {
    distribution.percentile(percent).map_or_else(|| "–".to_owned(), number)
}

/// Which share of the edits waited at most so long.
pub(super) fn plot(runs: &[LayoutChanges]) -> Plot {
    let of =
        |name: &str, seconds: Vec<f64>| (name.to_owned(), Distribution::of_seconds(seconds).cumulative());
    let undisturbed = runs.iter().flat_map(|run| run.undisturbed.clone()).collect();
    let changing = runs.iter().flat_map(|run| &run.changes).flat_map(|change| change.edits.clone()).collect();
    Plot::Lines {
        what: "share of the edits that were reconciled within so many milliseconds",
        along: "milliseconds",
        lines: vec![of("no change", undisturbed), of("from the commit until it was settled", changing)],
    }
}
