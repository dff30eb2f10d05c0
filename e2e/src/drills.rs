//! The drills: what happens to the operator, one file per kind of fault.
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
mod shards;
mod takeovers;

use anyhow::Result;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::harness::Harness;

pub(crate) use servers::SERVED;

/// One drill.
pub(crate) struct Drill {
    pub(crate) name: &'static str,
    /// What it does, for the report.
    pub(crate) about: &'static str,
    /// Whether it does something to nodes, which only a kind cluster allows.
    pub(crate) needs_nodes: bool,
    pub(crate) run: for<'a> fn(&'a mut Harness) -> BoxFuture<'a, Result<()>>,
}

const fn drill(
    name: &'static str,
    about: &'static str,
    run: for<'a> fn(&'a mut Harness) -> BoxFuture<'a, Result<()>>,
) -> Drill {
    Drill { name, about, needs_nodes: false, run }
}

const fn node_drill(
    name: &'static str,
    about: &'static str,
    run: for<'a> fn(&'a mut Harness) -> BoxFuture<'a, Result<()>>,
) -> Drill {
    Drill { name, about, needs_nodes: true, run }
}

/// In the order of running. `reinstall` follows `timings`: a new installation begins with the usual bound again.
pub(crate) const ALL: [Drill; 23] = [
    drill("settles", "8 shards of 3 replicas settle at 3/3/2", |harness| {
        documented::settles(harness).boxed()
    }),
    drill("commands", "the documented commands show what the documentation says", |harness| {
        documented::commands(harness).boxed()
    }),
    drill("malformed", "malformed resources are refused with a reason", |harness| {
        load::malformed(harness).boxed()
    }),
    drill("servers", "memcached servers answer, and follow changes of scale and memory", |harness| {
        servers::follow_changes(harness).boxed()
    }),
    drill(
        "pull-error",
        "an image that cannot be pulled is told on the resource, until it is corrected",
        |harness| pull_error::told_until_corrected(harness).boxed(),
    ),
    drill("delete-pod", "the Pod that holds most shards is deleted", |harness| {
        takeovers::delete_pod(harness).boxed()
    }),
    node_drill("kill-container", "the container that holds most shards is ended with SIGKILL", |harness| {
        takeovers::kill_container(harness).boxed()
    }),
    node_drill("node-off", "the node with most shards loses power and comes back", |harness| {
        nodes::off(harness).boxed()
    }),
    node_drill(
        "node-frozen",
        "the node with most shards stands still for longer than LeaseDuration",
        |harness| nodes::frozen(harness).boxed(),
    ),
    node_drill(
        "cut-off",
        "the replica with most shards does not reach the API server, and does again",
        |harness| nodes::cut_off(harness).boxed(),
    ),
    drill("drain", "the node with most shards is drained and taken back", |harness| {
        nodes::drain(harness).boxed()
    }),
    drill("rollout", "a new version is rolled out under load", |harness| changes::rollout(harness).boxed()),
    drill("scale", "the operator is scaled from 1 to 5 to 2", |harness| changes::scale(harness).boxed()),
    drill(
        "shards",
        "the number of shards changes from 8 to 16 to 32 and back under edits, and no Pod is replaced",
        |harness| shards::change(harness).boxed(),
    ),
    drill(
        "rollout-with-shards",
        "the number of shards changes with a rollout, and back in the middle of it",
        |harness| shards::change_in_rollout(harness).boxed(),
    ),
    node_drill(
        "node-off-with-shards",
        "the number of shards changes while the node with most shards is off",
        |harness| shards::change_in_node_loss(harness).boxed(),
    ),
    drill("permission", "the permission on Leases is taken away and given back", |harness| {
        rights::permission(harness).boxed()
    }),
    drill(
        "two-releases",
        "a second release with the same LeaderElectionID is kept out, and says why",
        |harness| releases::two(harness).boxed(),
    ),
    drill("no-election", "leader election is switched off, and on again", |harness| {
        changes::no_election(harness).boxed()
    }),
    drill("burst", "a burst of new resources", |harness| load::burst(harness).boxed()),
    drill("metrics", "every alert and every panel finds something in what the replicas export", |harness| {
        metrics::answer_every_question(harness).boxed()
    }),
    drill("timings", "helm upgrade with other timings, and back", |harness| {
        changes::timings(harness).boxed()
    }),
    drill("reinstall", "the operator is uninstalled and installed again, with resources kept", |harness| {
        releases::reinstall(harness).boxed()
    }),
];
