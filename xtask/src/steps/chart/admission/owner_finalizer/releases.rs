//! Two releases, each with its namespaces: each one's policy stops tenants and the other's operator, and never its own.

use anyhow::{Result, ensure};

use super::super::super::helm::Helm;
use super::super::Server;
use super::FINALIZER;

/// A release, and the namespace that it looks at.
const RELEASES: [(&str, &str); 2] = [("one", "team-a"), ("two", "team-b")];
const NAME: &str = "kept";

pub(super) fn check(server: &Server, helm: &Helm) -> Result<()> {
    for (release, namespace) in RELEASES {
        let settings = format!(
            "shardKeyLabel=tenant,watchNamespaces={{{namespace}}},leaderElection.id={release}.example.com,\
             crds.install={}",
            release == RELEASES[0].0
        );
        helm.act(&server.kubeconfig, &["install", release, ".", "--set", &settings])?;
        super::grant(server, namespace)?;
        let with = super::resource(server, namespace, NAME, &[FINALIZER])?;
        server.ask(&["create", "--filename", &with])?;
        super::is_enforced(server, namespace, NAME)?;
    }
    // More than its Role gives it: what is asked is the policy.
    for (own, other) in [(RELEASES[0], RELEASES[1]), (RELEASES[1], RELEASES[0])] {
        let strip = super::strip(own.1, NAME, "--as-group=system:masters");
        let strangers = operator(other.0);
        ensure!(
            super::is_refused(server.ask(&[&strip[..], &[&strangers]].concat()))?,
            "the operator of {} takes the finalizer off in {}",
            other.0,
            own.1
        );
    }
    // With the rights of its release, and no policy in the way, its own or another.
    server.ask(&super::strip(RELEASES[0].1, NAME, &operator(RELEASES[0].0)))?;
    // The end of one release changes nothing for the other.
    helm.act(&server.kubeconfig, &["uninstall", RELEASES[0].0])?;
    super::is_enforced(server, RELEASES[1].1, NAME)?;
    server.ask(&super::strip(RELEASES[1].1, NAME, &operator(RELEASES[1].0)))?;
    for (_, namespace) in RELEASES {
        ensure!(
            !super::has_finalizer(server, namespace, NAME)?,
            "nobody could take the finalizer off in {namespace}"
        );
        super::revoke(server, namespace)?;
    }
    super::uninstall(server, helm, RELEASES[1].0)
}

fn operator(release: &str) -> String {
    super::operator_of(&format!("{release}-memcached-operator"))
}
