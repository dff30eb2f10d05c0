//! What was measured, where, and how each side was started.

use std::fmt::Write as _;

use serde::Serialize;

use crate::subject::{Kind, Subject};

#[derive(Serialize)]
pub(crate) struct Settings {
    /// Which commit the operator was built from.
    commit: String,
    date: String,
    cores: usize,
    api_server: &'static str,
    arguments: Vec<(String, String)>,
}

impl Settings {
    pub(crate) fn new(commit: &str, subjects: &[Subject]) -> Self {
        let arguments = subjects.iter().map(|subject| {
            let program = match subject.kind {
                Kind::Ours => "memcached-operator run",
                Kind::Scaffold | Kind::Best => "controller-runtime",
            };
            (subject.to_string(), format!("{program} {}", subject.arguments().join(" ")))
        });
        Self {
            commit: commit.to_owned(),
            date: jiff::Zoned::now().date().to_string(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            api_server: kube_testkit::versions::KUBERNETES,
            arguments: arguments.collect(),
        }
    }

    /// One line above the table.
    pub(super) fn headline(&self) -> String {
        let Self { commit, date, cores, api_server, .. } = self;
        format!(
            "Measured on {date} at commit {commit}, on {cores} cores, with kube-apiserver {api_server} and etcd on the same \
             machine.\n"
        )
    }

    /// The same for what does not depend on the machine.
    pub(super) fn commit_line(&self) -> String {
        let Self { commit, date, .. } = self;
        format!("Measured on {date} at commit {commit}, in virtual time.\n")
    }

    /// A list below it.
    pub(super) fn programs(&self) -> String {
        let mut list = String::new();
        for (subject, arguments) in &self.arguments {
            let _ = writeln!(list, "- {subject}: `{arguments}`");
        }
        list
    }
}
