//! Who is measured.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Error, bail};
use fleet::GROUP;
use kube_testkit::{Cluster, GuardedCommand, TestUser};
use serde::Serialize;

/// An operator, and how many replicas of it run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) replicas: u32,
    /// Where it is not the program's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shards: Option<u16>,
}

/// Which operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The one of this workspace.
    Ours,
    /// On controller-runtime, as kubebuilder's scaffold leads people to write it.
    Scaffold,
    /// The best that we know how to write with controller-runtime.
    Best,
}

/// What a measurement asks of replicas, beyond their defaults.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extras {
    /// They write a line for each reconcile.
    pub(crate) recording: bool,
    /// They follow the number of shards in the ConfigMap [`SHARDS_CONFIG_MAP`].
    pub(crate) shards_config_map: bool,
}

/// As the chart names it, since the rights are for this name.
pub(crate) const SHARDS_CONFIG_MAP: &str = "memcached-operator-shards";

impl Subject {
    /// Whether this is the one that others are compared with.
    pub(crate) fn is_scaffold(self) -> bool {
        self.kind == Kind::Scaffold
    }

    /// How a replica is started: with the defaults of its program, but for what is said here.
    pub(crate) fn command(
        self,
        program: &Path,
        cluster: &Cluster,
        pod: &str,
        namespace: &str,
        extras: Extras,
    ) -> anyhow::Result<GuardedCommand> {
        let dir = cluster.dir();
        // A user of its own, by which the audit log tells replicas apart.
        let kubeconfig = cluster.kubeconfig(&TestUser::new(pod).in_group(GROUP))?;
        let command = GuardedCommand::new(program).args(self.arguments()).within(dir);
        let command = match (extras.recording, self.kind) {
            (false, _) => command,
            // The volume of a Pod, by which a process shows that the one before it has ended.
            (true, Kind::Ours) => {
                let volume = dir.path().join(format!("{pod}-volume"));
                std::fs::create_dir_all(&volume)?;
                command.args(["--reconcile-records=stdout", "--state-dir"]).args([volume])
            }
            (true, Kind::Scaffold | Kind::Best) => command.args(["-reconcile-records"]),
        };
        let command = match self.kind {
            Kind::Ours if extras.shards_config_map => {
                command.args([format!("--shards-config-map={SHARDS_CONFIG_MAP}")])
            }
            _ => command,
        };
        let command = match self.kind {
            Kind::Ours => command,
            Kind::Scaffold | Kind::Best => command.args(["-leader-election-namespace", namespace]),
        };
        Ok(command.env("KUBECONFIG", kubeconfig))
    }

    /// The settings that are published with the figures.
    pub(crate) fn arguments(self) -> Vec<String> {
        let fixed: &[&str] = match self.kind {
            Kind::Ours => &["--metrics-addr=off", "--health-addr=off"],
            Kind::Scaffold => &["-mode=scaffold", "-workers=10", "-qps=1000", "-leader-elect"],
            Kind::Best => &["-mode=best", "-workers=10", "-qps=1000", "-leader-elect"],
        };
        let shards = self.shards.map(|shards| format!("--shards={shards}"));
        fixed.iter().map(|argument| (*argument).to_owned()).chain(shards).collect()
    }
}

impl FromStr for Subject {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (kind, replicas) = text.split_once(':').unwrap_or((text, "1"));
        let kind = match kind {
            "ours" => Kind::Ours,
            "scaffold" => Kind::Scaffold,
            "best" => Kind::Best,
            _ => bail!("there is no operator {kind:?}; use ours, ours:3, scaffold or best"),
        };
        match replicas.parse() {
            Ok(replicas @ 1..=64) => Ok(Self { kind, replicas, shards: None }),
            _ => bail!("{replicas:?} is no number of replicas; use 1 to 64"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::Ours => "ours",
            Kind::Scaffold => "peer, scaffold",
            Kind::Best => "peer, best",
        };
        let plural = if self.replicas == 1 { "" } else { "s" };
        write!(f, "{name}, {} replica{plural}", self.replicas)?;
        self.shards.map_or(Ok(()), |shards| write!(f, ", {shards} shards"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_with_their_replicas() {
        let three: Subject = "ours:3".parse().expect("a subject");
        assert_eq!(three, Subject { kind: Kind::Ours, replicas: 3, shards: None });
        assert_eq!("best".parse::<Subject>().expect("a subject").to_string(), "peer, best, 1 replica");
        assert!("theirs".parse::<Subject>().is_err() && "ours:0".parse::<Subject>().is_err());
    }
}
