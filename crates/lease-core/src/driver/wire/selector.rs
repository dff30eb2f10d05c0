//! Which objects an election lists and watches.

use kube::api::ListParams;
use kube::runtime::watcher;

/// Selects all Leases of an operator by their label, or the one object of a legacy lock by its name: candidates of other programs do not label it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::driver) enum Selector {
    Label(String),
    Field(String),
}

impl Selector {
    pub(in crate::driver) fn list(&self) -> ListParams {
        match self {
            Self::Label(selector) => ListParams::default().labels(selector),
            Self::Field(selector) => ListParams::default().fields(selector),
        }
    }

    pub(in crate::driver) fn watch(&self) -> watcher::Config {
        match self {
            Self::Label(selector) => watcher::Config::default().labels(selector),
            Self::Field(selector) => watcher::Config::default().fields(selector),
        }
    }
}
