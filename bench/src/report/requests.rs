//! The tables of `bench requests`.

use std::collections::BTreeSet;

use super::plot::Plot;
use super::table::{Table, each, mean_allocated, mean_resident, mebibytes, number};
use crate::audit::Request;
use crate::requests::Requests;
use crate::spent::Spent;
use crate::usage::Memory;

pub(super) fn table(runs: &[Requests]) -> String {
    let mut table = Table::new(runs.iter().map(|run| run.subject.to_string()));
    let mut row = |name: &str, value: &dyn Fn(&Requests) -> String| table.row(name, runs.iter().map(value));
    let requests = |spent: &Spent, run: &Requests| number(each(spent.work.total(), run.resources));
    let writes = |spent: &Spent, run: &Requests| number(each(spent.work.writes_accepted(), run.resources));
    row("new resources", &|run| run.resources.to_string());
    row("requests per new resource until its status says so", &|run| requests(&run.creation, run));
    row("… of which accepted writes", &|run| writes(&run.creation, run));
    row("… of which refused", &|run| number(each(run.creation.work.refused(), run.resources)));
    row("requests per new resource until its servers are ready", &|run| requests(&run.rollout, run));
    row("requests per edit of one field until the status says so", &|run| requests(&run.edit, run));
    row("… of which accepted writes", &|run| writes(&run.edit, run));
    row("requests per edit of one field until it is rolled out", &|run| requests(&run.edit_rollout, run));
    row("takeover without changes: lists and watches", &|run| run.takeover.work.of_caches().to_string());
    row("takeover without changes: all other requests", &|run| {
        (run.takeover.work.total() - run.takeover.work.of_caches()).to_string()
    });
    row("API server and etcd, CPU milliseconds per new resource", &|run| {
        number(run.creation.cpu.control_plane() * 1000.0 / f64::from(run.resources))
    });
    row("idle: requests per second, except for Leases", &|run| rate(run.idle.work.total(), run.idle.seconds));
    row("idle: requests per second for Leases", &|run| rate(run.idle.elections.total(), run.idle.seconds));
    row("idle: CPU of all replicas, % of a core", &|run| {
        number(run.idle.cpu.replicas * 100.0 / run.idle.seconds)
    });
    row("memory of a replica with nothing cached, MiB", &|run| mebibytes(mean_resident(&run.memory_empty)));
    row("… of which allocated by the replica", &|run| mebibytes(mean_allocated(&run.memory_empty)));
    row("memory of a replica after the takeover, MiB", &|run| mebibytes(mean_resident(&run.memory_full)));
    row("… of which allocated by the replica", &|run| mebibytes(mean_allocated(&run.memory_full)));
    row("memory per cached resource, KiB", &|run| number(kibibytes_a_resource(run)));
    row("open watches, all replicas", &|run| run.watches.to_string());
    row("open connections, all replicas", &|run| run.connections.to_string());
    format!("{}\n{}", table.finish(), breakdown(runs))
}

pub(super) fn plot(runs: &[Requests]) -> Plot {
    let of_one = |run: &Requests| each(run.creation.work.total(), run.resources);
    let bars = runs.iter().map(|run| (run.subject.to_string(), of_one(run))).collect();
    Plot::Bars { what: "requests per new resource until its status says so", bars }
}

/// What a new resource costs, by verb and resource.
fn breakdown(runs: &[Requests]) -> String {
    let kinds: BTreeSet<&Request> =
        runs.iter().flat_map(|run| run.creation.work.each().map(|(kind, _)| kind)).collect();
    let mut table = Table::new(runs.iter().map(|run| run.subject.to_string()));
    for kind in kinds {
        let values = runs.iter().map(|run| number(each(run.creation.work.sent(kind), run.resources)));
        table.row(&format!("`{kind}`"), values);
    }
    format!("Requests per new resource until its status says so, by verb and resource:\n\n{}", table.finish())
}

fn rate(count: u64, seconds: f64) -> String {
    number(each(count, 1) / seconds)
}

/// Of a replica that was started with the resources there, and has only listed them.
fn kibibytes_a_resource(run: &Requests) -> f64 {
    let of_one = |memory: &[Memory]| memory.first().map_or(0.0, |memory| each(memory.resident, 1));
    let share = f64::from(run.resources)
        / f64::from(if run.memory_full.len() > 1 { run.subject.replicas } else { 1 });
    (of_one(&run.memory_full) - of_one(&run.memory_empty)) / 1024.0 / share
}
