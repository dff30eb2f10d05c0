//! How a replica fences.

use std::time::Duration;

/// How a replica writes the [`OwnershipTable`](super::OwnershipTable), for [`Options::with_fencing`](crate::Options::with_fencing).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fencing {
    /// Whether a bucket is left alone for as long as its row cannot be written. If not, it is worked on without the row when [`wait`](Self::wait) is over. Default: no, so that a
    /// definition or a right that is missing does not stop the operator.
    pub required: bool,
    /// How long a bucket waits for its row, if rows are not required. Default: 5 s.
    pub wait: Duration,
}

impl Default for Fencing {
    fn default() -> Self {
        Self { required: false, wait: Duration::from_secs(5) }
    }
}

impl Fencing {
    /// Sets [`required`](Self::required).
    #[must_use]
    pub fn with_required(self, required: bool) -> Self {
        Self { required, ..self }
    }

    /// Sets [`wait`](Self::wait).
    #[must_use]
    pub fn with_wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }
}
