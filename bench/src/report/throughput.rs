//! The table of `bench throughput`.

use super::plot::Plot;
use super::table::{Table, each, mean_allocated, mean_resident, mebibytes, number};
use crate::subject::Subject;
use crate::throughput::Throughput;

pub(super) fn table(runs: &[Throughput]) -> String {
    let mut subjects: Vec<Subject> = Vec::new();
    for run in runs {
        if !subjects.contains(&run.subject) {
            subjects.push(run.subject);
        }
    }
    let columns: Vec<Vec<&Throughput>> =
        subjects.iter().map(|subject| runs.iter().filter(|run| run.subject == *subject).collect()).collect();
    let measured = |of: &dyn Fn(&Throughput) -> f64| -> Vec<f64> {
        columns
            .iter()
            .map(|column| column.iter().map(|run| of(run)).sum::<f64>() / each(column.len() as u64, 1))
            .collect()
    };
    let resources = |run: &Throughput| f64::from(run.resources);
    let mut table = Table::new(subjects.iter().map(ToString::to_string));
    let mut row = |name: &str, values: Vec<String>| table.row(name, values.into_iter());
    let numbers = |values: &[f64]| values.iter().copied().map(number).collect::<Vec<_>>();
    let rates = measured(&|run| resources(run) / run.acted_on_seconds);
    if let Some(peer) = subjects.iter().position(|subject| subject.is_scaffold()) {
        row(
            "resources per second, relative to the scaffold",
            rates.iter().map(|rate| number(rate / rates[peer])).collect(),
        );
    }
    row("new resources", numbers(&measured(&resources)));
    row("resources per second until the status says so", numbers(&rates));
    row(
        "resources per second until servers are ready",
        numbers(&measured(&|run| resources(run) / run.ready_seconds)),
    );
    row("… in the slowest round", columns.iter().map(|column| number(slowest(column))).collect());
    row(
        "total requests per resource",
        numbers(&measured(&|run| each(run.spent.work.total(), run.resources))),
    );
    row(
        "API server and etcd, CPU milliseconds per resource",
        numbers(&measured(&|run| run.spent.cpu.control_plane() * 1000.0 / resources(run))),
    );
    row(
        "replicas, CPU milliseconds per resource",
        numbers(&measured(&|run| run.spent.cpu.replicas * 1000.0 / resources(run))),
    );
    row(
        "memory of a replica at the end, MiB",
        measured(&|run| mean_resident(&run.memory)).into_iter().map(mebibytes).collect(),
    );
    row(
        "… of which allocated by the replica",
        measured(&|run| mean_allocated(&run.memory)).into_iter().map(mebibytes).collect(),
    );
    table.finish()
}

/// The mean of the rounds.
pub(super) fn plot(runs: &[Throughput]) -> Plot {
    let mut bars: Vec<(String, f64)> = Vec::new();
    for run in runs {
        let subject = run.subject.to_string();
        if bars.iter().any(|(name, _)| *name == subject) {
            continue;
        }
        let rounds = runs.iter().filter(|other| other.subject == run.subject);
        let rates: Vec<f64> = rounds.map(|run| f64::from(run.resources) / run.acted_on_seconds).collect();
        bars.push((subject, rates.iter().sum::<f64>() / each(rates.len() as u64, 1)));
    }
    Plot::Bars { what: "new resources per second until the status says so", bars }
}

/// Resources a second in the round that took longest.
fn slowest(column: &[&Throughput]) -> f64 {
    column.iter().map(|run| f64::from(run.resources) / run.ready_seconds).fold(f64::INFINITY, f64::min)
}
