//! The table of `bench idle`.

use super::table::{Table, each, mean_allocated, mean_resident, mebibytes, number};
use crate::idle::Idle;

pub(super) fn table(runs: &[Idle]) -> String {
    let mut table = Table::new(runs.iter().map(|run| run.subject.to_string()));
    let mut row = |name: &str, value: &dyn Fn(&Idle) -> String| table.row(name, runs.iter().map(value));
    let rate = |count: f64, run: &Idle| number(count / run.spent.seconds);
    row("seconds", &|run| number(run.spent.seconds));
    row("CPU of all replicas, % of a core", &|run| rate(run.spent.cpu.replicas * 100.0, run));
    row("CPU of the API server and etcd, % of a core", &|run| {
        rate(run.spent.cpu.control_plane() * 100.0, run)
    });
    row("Lease writes per second", &|run| rate(each(run.spent.elections.writes_accepted(), 1), run));
    row("other Lease requests per second", &|run| {
        let requests = run.spent.elections.total() - run.spent.elections.writes_accepted();
        rate(each(requests, 1), run)
    });
    row("all other requests per second", &|run| rate(each(run.spent.work.total(), 1), run));
    row("Lease events sent to watches per second", &|run| rate(run.lease_events, run));
    row("memory of a replica, MiB", &|run| mebibytes(mean_resident(&run.memory)));
    row("… of which allocated by the replica", &|run| mebibytes(mean_allocated(&run.memory)));
    row("open watches, all replicas", &|run| run.watches.to_string());
    row("open connections, all replicas", &|run| run.connections.to_string());
    table.finish()
}
