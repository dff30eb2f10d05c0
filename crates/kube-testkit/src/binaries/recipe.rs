//! The programs that can be built, as a table.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::StartError;
use crate::versions;

/// A program of the control plane, or one to talk to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `etcd`.
    Etcd,
    /// `kube-apiserver`.
    Apiserver,
    /// `kube-controller-manager`; no backend starts it so far.
    ControllerManager,
    /// `kubectl`.
    Kubectl,
}

/// How a program is built.
pub(super) struct Recipe {
    /// The Go module that contains it.
    pub(super) module: &'static str,
    pub(super) version: Cow<'static, str>,
    /// The package to build.
    pub(super) package: &'static str,
    /// Whether the module's `replace … => ./staging/…` lines have to be turned into released versions.
    pub(super) staging: bool,
}

impl Program {
    /// The file name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Apiserver => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
        }
    }

    /// How to build it, of the release that tests have chosen.
    pub(super) fn recipe(self) -> Result<Recipe, StartError> {
        let release = versions::kubernetes()?;
        let kubernetes =
            |package| Recipe { module: "k8s.io/kubernetes", version: release, package, staging: true };
        Ok(match self {
            Self::Etcd => Recipe {
                module: "go.etcd.io/etcd/server/v3",
                version: versions::ETCD.into(),
                package: "go.etcd.io/etcd/server/v3",
                staging: false,
            },
            Self::Apiserver => kubernetes("k8s.io/kubernetes/cmd/kube-apiserver"),
            Self::ControllerManager => kubernetes("k8s.io/kubernetes/cmd/kube-controller-manager"),
            Self::Kubectl => kubernetes("k8s.io/kubernetes/cmd/kubectl"),
        })
    }
}

impl Recipe {
    /// Linker flags: no symbols, and the version that `/version` and `--version` answer with.
    pub(super) fn ldflags(&self) -> String {
        let mut flags = "-s -w".to_owned();
        if self.staging {
            let mut numbers = self.version.trim_start_matches('v').split('.');
            let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
            for (name, value) in [("gitVersion", &*self.version), ("gitMajor", major), ("gitMinor", minor)] {
                let _ = write!(flags, " -X k8s.io/component-base/version.{name}={value}");
            }
        }
        flags
    }
}

/// The modules that a `go.mod` replaces by directories under `./staging`.
pub(super) fn staged_modules(go_mod: &str) -> Vec<&str> {
    go_mod
        .lines()
        .filter_map(|line| line.trim().split_once(" => ./staging/"))
        .filter_map(|(module, _)| module.split_whitespace().last())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staged_modules_are_found_in_blocks_and_single_lines() {
        let go_mod = "module k8s.io/kubernetes\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tx => y v1\n)\n\
                      replace k8s.io/cri-api => ./staging/src/k8s.io/cri-api\n";
        assert_eq!(staged_modules(go_mod), ["k8s.io/api", "k8s.io/cri-api"]);
    }

    #[test]
    fn the_version_is_linked_in() {
        let flags = Program::Apiserver.recipe().unwrap().ldflags();
        assert!(flags.contains("version.gitMajor=1 ") && flags.contains("version.gitVersion=v1."), "{flags}");
        assert_eq!(Program::Etcd.recipe().unwrap().ldflags(), "-s -w");
    }
}
