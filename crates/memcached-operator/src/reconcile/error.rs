//! Why a reconcile did not get to its end.

use shard_router::{ApplyError, is_conflict};

use crate::crd::Memcached;

/// A failed reconcile. All but [`ApplyError::NotOurs`] pass by themselves; the router tries again, more and more
/// seldom.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The resource or a child could not be read.
    #[error("could not read {object}: {}", sentence(.source))]
    Read {
        /// Kind and name.
        object: String,
        /// The API server's answer, or why there was none.
        source: kube::Error,
    },
    /// A child could not be read or written, or belongs to somebody else.
    #[error(transparent)]
    Child(#[from] ApplyError),
    /// The StatefulSet was made with another selector, which the API server never lets anyone change.
    #[error(
        "{child} selects its Pods by other labels than this version uses, and a selector cannot be changed; delete it, and it \
         is created again at once (its servers start with empty caches)"
    )]
    OtherSelector {
        /// Kind and name.
        child: String,
    },
    /// The status could not be written.
    #[error("could not write the status: {}", sentence(.0))]
    Status(#[source] kube::Error),
}

impl ReconcileError {
    /// Whether a write lost against another: news rather than a fault, and soon mended by looking again.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Child(error) => error.is_conflict(),
            Self::Status(source) => is_conflict(source),
            Self::Read { .. } | Self::OtherSelector { .. } => false,
        }
    }

    /// Whether somebody has to change something before it can succeed: the API server understood and said no, and will say so
    /// again. It is tried again all the same, as that change may be one of which no watch tells. Everything else is told when it
    /// happens twice in a row.
    pub(super) fn needs_a_person(&self) -> bool {
        match self {
            Self::OtherSelector { .. } | Self::Child(ApplyError::NotOurs { .. }) => true,
            Self::Child(ApplyError::Apply { source, .. }) => {
                !is_conflict(source) && code(source).is_some_and(is_refusal)
            }
            Self::Read { .. } | Self::Child(_) | Self::Status(_) => false,
        }
    }
}

/// Whether an answer with this HTTP status stays the same until somebody acts. That is all of 4xx, since an admission webhook may deny
/// with any of them, but for those that pass by themselves: 401 with the next token of the service account, 408 and 425 by asking
/// again, 409 and 423 when another writer is done, 429 with time.
fn is_refusal(code: u16) -> bool {
    (400..500).contains(&code) && !matches!(code, 401 | 408 | 409 | 423 | 425 | 429)
}

fn code(error: &kube::Error) -> Option<u16> {
    if let kube::Error::Api(status) = error { Some(status.code) } else { None }
}

/// The API server's own words without the debug print around them.
fn sentence(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// For logs: `namespace/name`.
pub(super) fn key(memcached: &Memcached) -> String {
    let meta = &memcached.metadata;
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn denied(code: u16) -> ReconcileError {
        let status = Status { code, ..Status::default() };
        let source = kube::Error::Api(Box::new(status));
        ApplyError::Apply { child: "StatefulSet s".into(), source }.into()
    }

    #[test]
    fn what_a_retry_cannot_mend_needs_a_person_whatever_its_code() {
        for code in [400, 402, 403, 404, 405, 406, 410, 412, 413, 415, 418, 422, 451] {
            assert!(denied(code).needs_a_person(), "{code}");
        }
    }

    #[test]
    fn what_passes_by_itself_does_not() {
        for code in [401, 408, 409, 423, 425, 429, 500, 502, 503, 504] {
            assert!(!denied(code).needs_a_person(), "{code}");
        }
        let source = kube::Error::LinesCodecMaxLineLengthExceeded;
        let unanswered = ReconcileError::from(ApplyError::Apply { child: "StatefulSet s".into(), source });
        assert!(!unanswered.needs_a_person());
    }
}
