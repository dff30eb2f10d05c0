//! A complete answer to a request.

use bytes::Bytes;

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// What is sent.
    pub body: Bytes,
}
