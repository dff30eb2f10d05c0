//! The drills: what happens to the operator, one file per kind of trouble.
//!
//! A drill does something and waits for the direct consequence. What holds for all of them (even shards, every resource as
//! asked for, no overlap, no time without an owner beyond the bound, no error of a memcached client) is checked
//! after each by [`crate::run`].

mod changes;
mod documented;
mod load;
mod metrics;
mod nodes;
mod pull_error;
mod releases;
mod rights;
mod servers;
mod takeovers;

use anyhow::Result;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::stage::Stage;

pub(crate) use servers::SERVED;

/// One drill.
pub(crate) struct Drill {
    pub(crate) name: &'static str,
    /// What it does, for the report.
    pub(crate) about: &'static str,
    /// Whether it does something to nodes, which only a kind cluster allows.
    pub(crate) needs_nodes: bool,
    pub(crate) run: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Result<()>>,
}

const fn drill(
    name: &'static str,
    about: &'static str,
    run: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Result<()>>,
) -> Drill {
    Drill { name, about, needs_nodes: false, run }
}

const fn node_drill(
    name: &'static str,
    about: &'static str,
    run: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Result<()>>,
) -> Drill {
    Drill { name, about, needs_nodes: true, run }
}

/// In the order of running. `reinstall` follows `timings`: a new installation begins with the usual bound again.
pub(crate) const ALL: [Drill; 20] = [
    drill("settles", "8 shards of 3 replicas settle at 3/3/2", |stage| documented::settles(stage).boxed()),
    drill("commands", "the documented commands show what the documentation says", |stage| {
        documented::commands(stage).boxed()
    }),
    drill("malformed", "malformed resources are refused with a reason", |stage| {
        load::malformed(stage).boxed()
    }),
    drill("servers", "memcached servers answer, and follow changes of scale and memory", |stage| {
        servers::follow_changes(stage).boxed()
    }),
    drill(
        "pull-error",
        "an image that cannot be pulled is told on the resource, until it is corrected",
        |stage| pull_error::told_until_corrected(stage).boxed(),
    ),
    drill("delete-pod", "the Pod that holds most shards is deleted", |stage| {
        takeovers::delete_pod(stage).boxed()
    }),
    node_drill("kill-container", "the container that holds most shards is ended with SIGKILL", |stage| {
        takeovers::kill_container(stage).boxed()
    }),
    node_drill("node-off", "the node with most shards loses power and comes back", |stage| {
        nodes::off(stage).boxed()
    }),
    node_drill(
        "node-frozen",
        "the node with most shards stands still for longer than LeaseDuration",
        |stage| nodes::frozen(stage).boxed(),
    ),
    node_drill(
        "cut-off",
        "the replica with most shards does not reach the API server, and does again",
        |stage| nodes::cut_off(stage).boxed(),
    ),
    drill("drain", "the node with most shards is drained and taken back", |stage| {
        nodes::drain(stage).boxed()
    }),
    drill("rollout", "a new version is rolled out under load", |stage| changes::rollout(stage).boxed()),
    drill("scale", "the operator is scaled from 1 to 5 to 2", |stage| changes::scale(stage).boxed()),
    drill("permission", "the permission on Leases is taken away and given back", |stage| {
        rights::permission(stage).boxed()
    }),
    drill(
        "two-releases",
        "a second release with the same LeaderElectionID is kept out, and says why",
        |stage| releases::two(stage).boxed(),
    ),
    drill("no-election", "leader election is switched off, and on again", |stage| {
        changes::no_election(stage).boxed()
    }),
    drill("burst", "a burst of new resources", |stage| load::burst(stage).boxed()),
    drill("metrics", "every alert and every panel finds something in what the replicas export", |stage| {
        metrics::answer_every_question(stage).boxed()
    }),
    drill("timings", "helm upgrade with other timings, and back", |stage| changes::timings(stage).boxed()),
    drill("reinstall", "the operator is uninstalled and installed again, with resources kept", |stage| {
        releases::reinstall(stage).boxed()
    }),
];
