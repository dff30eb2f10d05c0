//! The table of `bench scale`.

use super::table::{Table, each, mean_allocated, mean_resident, mebibytes, number};
use crate::scale::Scale;

pub(super) fn table(runs: &[Scale]) -> String {
    let mut table = Table::new(runs.iter().map(|run| run.subject.to_string()));
    let mut row = |name: &str, value: &dyn Fn(&Scale) -> String| table.row(name, runs.iter().map(value));
    row("new resources", &|run| run.resources.to_string());
    row("seconds until all servers are ready", &|run| number(run.ready_seconds));
    row("requests for a resource, all told", &|run| number(each(run.spent.work.total(), run.resources)));
    row("shard Leases that changed hands meanwhile", &|run| run.lost_under_load.to_string());
    row("memory of a replica, MiB", &|run| mebibytes(mean_resident(&run.memory)));
    row("… of it allocated by the replica", &|run| mebibytes(mean_allocated(&run.memory)));
    row("watches open, all replicas", &|run| run.watches.to_string());
    row("connections open, all replicas", &|run| run.connections.to_string());
    row("shards of the replica that was killed", &|run| run.takeover.shards.to_string());
    row("seconds until all of them were held again", &|run| number(run.takeover.held_again_seconds));
    row("… the bound: LeaseDuration + RetryPeriod", &|run| number(run.takeover.bound_seconds));
    row("resources edited at the kill, of all shards", &|run| run.takeover.edited.to_string());
    row("seconds until all edits were acted on", &|run| number(run.takeover.acted_on_seconds));
    table.finish()
}
