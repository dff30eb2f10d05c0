//! In tokio's virtual time: an answer that never ends costs its limit and no more, whatever part of it is missing.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures::FutureExt;
use kube::Client;
use tokio::time::{Instant, timeout};

use super::*;
use crate::{
    gate::{Authority, Base, Pass},
    requests::{Answer, Target},
    rights::Rights,
};

const LONGER: Duration = REQUEST_LIMIT.saturating_mul(10);

/// Holds for ever, and notes what it is told.
#[derive(Default)]
struct Holder {
    unanswered: AtomicUsize,
    answered: AtomicUsize,
    told: Mutex<Vec<Answer>>,
}

impl Authority for Holder {
    fn remaining(&self) -> Option<Duration> {
        Some(Duration::MAX)
    }

    fn over(&self) -> BoxFuture<'_, ()> {
        futures::future::pending().boxed()
    }

    fn lease(&self) -> String {
        "op-shard-3".into()
    }

    fn write_begins(&self) -> bool {
        true
    }

    fn write_ends(&self, answered: bool) {
        let ends = if answered { &self.answered } else { &self.unanswered };
        ends.fetch_add(1, Ordering::SeqCst);
    }

    fn answered(&self, _: &Target, answer: &Answer) {
        self.told.lock().unwrap().push(answer.clone());
    }
}

/// A body of which something comes, and the end never does.
struct Endless(bool);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{\"kind\":")))))
    }
}

/// Clients of a server that sends this head and no end of the body, or not even a head: a gated one and one that is not.
fn clients(head: Option<u16>) -> (Arc<Holder>, [Client; 2]) {
    let service = tower::service_fn(move |_: Request<Body>| async move {
        match head {
            Some(status) => Ok::<_, BoxError>(Response::builder().status(status).body(Endless(false))?),
            None => std::future::pending().await,
        }
    });
    let rights = Arc::new(Rights::new(Arc::<crate::testing::ByHand>::default(), Duration::from_secs(60)));
    let given = Client::new(service, "default");
    let base = Base::new(given.into(), "op/1 (a_1)", Arc::new(lease_core::SystemClock), rights).unwrap();
    let holder = Arc::new(Holder::default());
    let gated = base.gated(&Pass(holder.clone()));
    (holder, [gated, base.ungated()])
}

/// How long this request was waited for, and what was said at the end.
async fn waited(client: &Client, method: &str, query: &str) -> (Duration, String) {
    let uri = format!("/api/v1/namespaces/default/configmaps/x{query}");
    let request = Request::builder().method(method).uri(uri).body(Vec::new()).unwrap();
    let sent = Instant::now();
    let answer = timeout(LONGER, client.request::<serde_json::Value>(request)).await;
    let said = answer.expect("an end of the request, whatever the server does").unwrap_err().to_string();
    (sent.elapsed(), said)
}

fn is_limit((waited, said): &(Duration, String)) -> bool {
    // tokio's timers have a millisecond each.
    (REQUEST_LIMIT..=REQUEST_LIMIT + Duration::from_millis(2)).contains(waited)
        && said.contains("was not answered within 30 s")
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_costs_the_limit_also_if_it_is_that_of_a_refusal() {
    for head in [None, Some(200), Some(403), Some(409), Some(500), Some(504)] {
        for method in ["GET", "PATCH", "DELETE"] {
            let (_holder, clients) = clients(head);
            for client in clients {
                let outcome = waited(&client, method, "").await;
                assert!(is_limit(&outcome), "{method}, {head:?}: {outcome:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_an_end_is_told_as_a_refusal() {
    let (holder, [gated, _]) = clients(Some(403));
    waited(&gated, "GET", "").await;
    let told = holder.told.lock().unwrap().clone();
    assert!(matches!(told[..], [Answer::Refused { code: 403, .. }]), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_has_the_limit_until_it_begins_and_when_it_is_refused() {
    for head in [None, Some(403), Some(500)] {
        let (_holder, clients) = clients(head);
        for client in clients {
            let outcome = waited(&client, "GET", "?watch=true").await;
            assert!(is_limit(&outcome), "{head:?}: {outcome:?}");
        }
    }
    let (_holder, [gated, _]) = clients(Some(200));
    let request = Request::get("/api/v1/configmaps?watch=true").body(Vec::new()).unwrap();
    let begun = timeout(LONGER, gated.request::<serde_json::Value>(request)).await;
    assert!(begun.is_err(), "a watch that has begun goes on for as long as it likes: {begun:?}");
}

/// Nobody knows whether a write without an answer has landed or will, so the Lease is not released soon after it.
#[tokio::test(start_paused = true)]
async fn a_write_that_runs_into_the_limit_is_unanswered() {
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        // The head tells of a success or a refusal, but not of an error within the server.
        for (head, unanswered) in [(None, 1), (Some(500), 1), (Some(200), 0), (Some(409), 0)] {
            let (holder, [gated, _]) = clients(head);
            waited(&gated, method, "").await;
            let counts = [&holder.unanswered, &holder.answered].map(|count| count.load(Ordering::SeqCst));
            assert_eq!(counts, [unanswered, 1 - unanswered], "{method}, {head:?}");
        }
    }
}
