//! The answers of the network: those that it passes on, and its own.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use embedded_apiserver::AnswerBody;
use http::{Response, StatusCode, header::RETRY_AFTER};
use http_body::Frame;
use http_body_util::Full;
use tokio_util::sync::WaitForCancellationFutureOwned;

/// How a watch on Leases ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LeaseWatchFailure {
    /// It is not begun: 503.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    Unavailable,
    /// It begins, and ends at once as its version is too old, so that a list follows, which succeeds.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    TooOld,
}

impl LeaseWatchFailure {
    pub(super) fn answer(self) -> Response<AnswerBody> {
        let (code, body) = match self {
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, status(503, "ServiceUnavailable")),
            Self::TooOld => {
                let event = serde_json::json!({ "type": "ERROR", "object": status(410, "Expired") });
                (StatusCode::OK, event)
            }
        };
        answer(code, &body)
    }
}

pub(super) fn answer(code: StatusCode, body: &serde_json::Value) -> Response<AnswerBody> {
    let body = Full::new(Bytes::from(format!("{body}\n")));
    let mut answer = Response::new(AnswerBody::new(body));
    *answer.status_mut() = code;
    answer
}

pub(super) fn status(code: u16, reason: &str) -> serde_json::Value {
    serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason,
        "message": "the test says so",
    })
}

/// Plain text, as API Priority and Fairness answers.
pub(super) fn too_many_requests(pause: Duration) -> Response<AnswerBody> {
    let body = Full::new(Bytes::from("Too many requests, please try again later.\n"));
    let mut refusal = Response::new(AnswerBody::new(body));
    *refusal.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    refusal.headers_mut().insert(RETRY_AFTER, pause.as_secs().into());
    refusal
}

/// The body of an answer, for as long as anything arrives.
pub(crate) struct Answer {
    pub(super) body: AnswerBody,
    pub(super) swallows: Arc<AtomicBool>,
    /// Any of these.
    pub(super) hung: Vec<Arc<AtomicBool>>,
    pub(super) cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if self.hung.iter().any(|hung| hung.load(Ordering::Relaxed)) {
            return Poll::Pending;
        }
        // Registered with the body all the same, so that a body that goes on wakes its reader.
        match Pin::new(&mut self.body).poll_frame(cx) {
            _ if self.swallows.load(Ordering::Relaxed) => Poll::Pending,
            frame => frame,
        }
    }
}
