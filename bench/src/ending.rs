//! How a replica ends, and what follows.

use serde::Serialize;

/// How a replica ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// By SIGTERM, as in a rollout.
    Terminated,
    /// By SIGKILL, and its Pod does not come back until others have taken over.
    Killed,
    /// By SIGKILL, and another process starts in the same Pod at once.
    RestartedInPlace,
}

impl Ending {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Terminated => "SIGTERM",
            Self::Killed => "SIGKILL",
            Self::RestartedInPlace => "SIGKILL, and restarted in place at once",
        }
    }
}

/// What followed when one replica ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Wait {
    pub(crate) ending: Ending,
    /// How many resources that replica had reconciled last.
    pub(crate) affected: usize,
    /// From the signal until another process had reconciled the first of them, and the last.
    pub(crate) first_seconds: f64,
    pub(crate) last_seconds: f64,
}
