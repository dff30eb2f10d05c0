//! What may come back in place of a StatefulSet that was applied.

use bytes::Bytes;
use embedded_apiserver::AnswerBody;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::json;

/// One way to fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The API server refuses, with this status, reason and message.
    Refused(u16, &'static str, &'static str),
    /// The same with 503, and in other words each time.
    InOtherWords,
    /// A proxy answers, and not with JSON.
    FromAProxy,
    /// An answer that nobody can read.
    Unreadable,
    /// The connection breaks.
    Broken,
    /// None, ever.
    Never,
}

impl Answer {
    /// `attempt` counts from 1. `None` is no answer.
    pub(crate) fn give(self, attempt: usize) -> Option<Result<Response<AnswerBody>, &'static str>> {
        let (code, body) = match self {
            Self::Refused(code, reason, message) => (code, status(code, reason, message)),
            Self::InOtherWords => {
                (503, status(503, "ServiceUnavailable", &format!("busy with {}", "x".repeat(attempt))))
            }
            Self::FromAProxy => (502, "<html>Bad Gateway</html>".to_owned()),
            Self::Unreadable => (200, "{}}".to_owned()),
            Self::Broken => return Some(Err("the connection was reset")),
            Self::Never => return None,
        };
        let mut answer = Response::new(AnswerBody::new(Full::new(Bytes::from(body))));
        *answer.status_mut() = StatusCode::from_u16(code).expect("a status");
        Some(Ok(answer))
    }
}

fn status(code: u16, reason: &str, message: &str) -> String {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason,
        "message": message,
    })
    .to_string()
}

/// A kind of failure, and what a user reads of it.
pub(crate) struct Failure {
    /// Of the resource that meets it.
    pub(crate) name: &'static str,
    pub(crate) answer: Answer,
    /// Part of the message.
    pub(crate) words: &'static str,
    /// Whether a person has to act, so that it is told at once and is `Stalled`. Otherwise it is told the second time in a row.
    pub(crate) stalls: bool,
}

const fn refused(
    name: &'static str,
    code: u16,
    reason: &'static str,
    words: &'static str,
    stalls: bool,
) -> Failure {
    Failure { name, answer: Answer::Refused(code, reason, words), words, stalls }
}

const fn other(name: &'static str, answer: Answer, words: &'static str) -> Failure {
    Failure { name, answer, words, stalls: false }
}

const DENIED: &str = "admission webhook \"policy.example.com\" denied the request: no";

/// The messages are those of kube-apiserver.
pub(crate) const FAILURES: &[Failure] = &[
    refused("bad-request", 400, "BadRequest", "strict decoding error: unknown field \"spec.a\"", true),
    refused("quota", 403, "Forbidden", "exceeded quota: q, requested: count/statefulsets.apps=1", true),
    refused("right", 403, "Forbidden", "cannot patch resource \"statefulsets\" in API group \"apps\"", true),
    refused("no-namespace", 404, "NotFound", "namespaces \"default\" not found", true),
    refused("invalid", 422, "Invalid", "spec.template.spec.containers[0].image: Required value", true),
    refused("large", 413, "RequestEntityTooLarge", "limit is 3145728", true),
    refused("denied-as-a-teapot", 418, "", DENIED, true),
    refused("denied-for-legal-reasons", 451, "", DENIED, true),
    refused("denied-as-an-error", 500, "", DENIED, false),
    refused("denied-as-locked", 423, "", DENIED, false),
    refused("unauthorized", 401, "Unauthorized", "Unauthorized", false),
    refused("conflict", 409, "Conflict", "the object has been modified; please apply your changes", false),
    refused("too-many", 429, "TooManyRequests", "the server has received too many requests", false),
    refused("webhook-down", 500, "InternalError", "failed calling webhook \"policy.example.com\"", false),
    refused("unavailable", 503, "ServiceUnavailable", "apiserver is shutting down", false),
    refused("timeout", 504, "Timeout", "request did not complete within requested timeout", false),
    other("other-words", Answer::InOtherWords, "busy with x"),
    other("proxy", Answer::FromAProxy, "<html>Bad Gateway</html>"),
    other("unreadable", Answer::Unreadable, "trailing characters"),
    other("broken", Answer::Broken, "the connection was reset"),
    other("never", Answer::Never, "was not answered within 30 s"),
];
