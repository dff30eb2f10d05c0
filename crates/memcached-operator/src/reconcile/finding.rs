//! Why servers are not ready, as far as it was found out.

/// A Pod that cannot be created or started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFailure {
    /// For the conditions; Kubernetes' own word where it has one.
    pub reason: &'static str,
    /// What fails where, as a sentence without its full stop.
    pub message: String,
    /// Whether the message quotes a text of Kubernetes, in which numbers may change from one look to the next.
    pub is_quote: bool,
}

/// What was found out about servers that are not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// This keeps them from it.
    Failure(PodFailure),
    /// The operator may not look; the API server's answer.
    Forbidden(String),
}
