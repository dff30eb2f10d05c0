//! Writes that a fencing policy refuses although this replica may own what it writes: the API server sees the ownership table through an informer, so it may not have heard of
//! this owner yet. Such a write was not applied, so it is sent again, for a short time and through the gate each time.

use std::{future::Future, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode};
use kube::client::Body;
use lease_core::{Clock, Monotonic};
use serde::Deserialize;

use crate::{fencing::REFUSAL_PREFIX, observability::metrics::Metrics, options::Backoff};

/// For how long a write is sent again. The API server has usually heard within milliseconds.
const LIMIT: Duration = Duration::from_secs(5);
/// The pauses between.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

/// Sends writes again that a fencing policy has refused.
#[derive(Clone)]
pub(crate) struct Resend {
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

impl Resend {
    pub(crate) fn new(clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self { clock, metrics }
    }

    /// Sends the request by `send`, and again while a policy refuses it.
    pub(crate) async fn send<F>(
        &self,
        request: Request<Body>,
        send: impl Fn(Request<Body>) -> F,
    ) -> kube::Result<Response<Body>>
    where
        F: Future<Output = kube::Result<Response<Body>>>,
    {
        if request.method().is_safe() {
            return send(request).await;
        }
        let (head, body) = request.into_parts();
        let body = body.collect_bytes().await?;
        let (mut until, mut refusals) = (None::<Monotonic>, 0);
        loop {
            let (is_refused, answer) =
                looked_at(send(Request::from_parts(head.clone(), Body::from(body.clone()))).await?).await?;
            let now = self.clock.now().monotonic;
            if !is_refused || now >= *until.get_or_insert(now + LIMIT) {
                return Ok(answer);
            }
            refusals += 1;
            self.metrics.fencing_refusal();
            self.clock.sleep(PAUSES.delay(refusals, 1.0)).await;
        }
    }
}

/// Whether a fencing policy has refused it. Reads the body of such an answer, which is small, and puts it back.
async fn looked_at(answer: Response<Body>) -> kube::Result<(bool, Response<Body>)> {
    // The codes of a policy's refusal: its reason is Invalid, or Forbidden.
    if !matches!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::FORBIDDEN) {
        return Ok((false, answer));
    }
    let (head, body) = answer.into_parts();
    let body = body.collect_bytes().await?;
    let said = serde_json::from_slice::<Said>(&body).map(|said| said.message).unwrap_or_default();
    let is_policy = said.contains("ValidatingAdmissionPolicy") && said.contains(REFUSAL_PREFIX);
    Ok((is_policy, Response::from_parts(head, Body::from(body))))
}

/// What is used of a `Status`.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::{FutureExt, future::BoxFuture};
    use lease_core::Now;

    use super::*;
    use crate::testing::ByHand;

    /// A clock on which waiting takes no time.
    #[derive(Debug, Default)]
    struct Hurried(ByHand);

    impl Clock for Hurried {
        fn now(&self) -> Now {
            self.0.now()
        }

        fn wall(&self) -> jiff::Timestamp {
            self.0.wall()
        }

        fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
            self.0.advance(span);
            std::future::ready(()).boxed()
        }
    }

    fn refusal(message: &str) -> Response<Body> {
        let body = serde_json::json!({"kind": "Status", "code": 422, "message": message}).to_string();
        Response::builder().status(422).body(Body::from(body.into_bytes())).unwrap()
    }

    /// As the API server has it.
    const REFUSAL: &str = "widgets \"w\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: fenced: 7 belongs to \
                           Pod a (uid u) by OwnershipTable ops/id; this request comes from Pod b (uid v)";

    /// How often the request is sent if it is refused so often at first, the status of the answer, and how long that takes.
    async fn sent(method: &str, message: &str, refusals: usize) -> (usize, u16, Duration) {
        let (clock, count) = (Arc::new(Hurried::default()), AtomicUsize::new(0));
        let resend = Resend::new(clock.clone(), Metrics::default());
        let request = Request::builder().method(method).uri("/api/v1/services/s");
        let request = request.body(Body::from(b"body".to_vec())).unwrap();
        let count = &count;
        let answer = resend
            .send(request, |request| async move {
                assert_eq!(request.into_body().collect_bytes().await.unwrap(), "body");
                if count.fetch_add(1, Ordering::SeqCst) < refusals {
                    return Ok(refusal(message));
                }
                Ok(Response::new(Body::empty()))
            })
            .await
            .unwrap();
        let (head, body) = answer.into_parts();
        if !head.status.is_success() {
            let said: Said = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap();
            assert_eq!(said.message, message, "the answer is passed on");
        }
        let took = clock.now().monotonic.since_origin();
        (count.load(Ordering::SeqCst), head.status.as_u16(), took)
    }

    #[tokio::test]
    async fn a_write_that_a_fencing_policy_refuses_is_sent_again_until_it_is_admitted() {
        let (times, status, took) = sent("PATCH", REFUSAL, 3).await;
        assert_eq!((times, status), (4, 200));
        assert!(took < Duration::from_millis(100), "{took:?}");
    }

    #[tokio::test]
    async fn a_write_that_stays_refused_is_given_up_after_a_while() {
        let (times, status, took) = sent("POST", REFUSAL, usize::MAX).await;
        assert_eq!(status, 422);
        assert!(times < 20 && took >= LIMIT && took < 2 * LIMIT, "{times} times, {took:?}");
    }

    #[tokio::test]
    async fn what_others_refuse_and_reads_are_not_sent_again() {
        let other = "ValidatingAdmissionPolicy 'q' with binding 'q' denied request: no";
        assert_eq!(sent("PATCH", other, 3).await.0, 1);
        assert_eq!(sent("PATCH", "spec is fenced: invalid", 3).await.0, 1);
        assert_eq!(sent("GET", REFUSAL, 3).await.0, 1);
    }
}
