//! In tokio's virtual time: an answer that never ends costs its limit and no more, whatever part of it is missing.
#![expect(clippy::disallowed_methods, reason = "tokio's virtual time is the clock here")]

use kube::Client;
use tokio::time::{Instant, timeout};

use super::*;
use crate::driver::clock::SystemClock;
use crate::driver::gate::{ClientPool, tests::term};
use crate::driver::term::Term;
use crate::validity::Validity;

const LONGER: Duration = REQUEST_LIMIT.saturating_mul(10);

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

/// Clients of a server that sends this head and no end of the body, or not even a head: one of a term and one that asks no Lease.
fn clients(head: Option<u16>) -> (Term, [Client; 2]) {
    let service = tower::service_fn(move |_: Request<Body>| async move {
        match head {
            Some(status) => Ok::<_, BoxError>(Response::builder().status(status).body(Endless(false))?),
            None => std::future::pending().await,
        }
    });
    let pool = ClientPool::new(Client::new(service, "default"), "op/1 (a_1)").unwrap();
    let term = term(Validity::unlimited(), Arc::new(SystemClock));
    let gated = term.client(&pool);
    (term, [gated, pool.ungated()])
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
            let (_term, clients) = clients(head);
            for client in clients {
                let outcome = waited(&client, method, "").await;
                assert!(is_limit(&outcome), "{method}, {head:?}: {outcome:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_has_the_limit_until_it_begins_and_when_it_is_refused() {
    for head in [None, Some(403), Some(500)] {
        let (_term, clients) = clients(head);
        for client in clients {
            let outcome = waited(&client, "GET", "?watch=true").await;
            assert!(is_limit(&outcome), "{head:?}: {outcome:?}");
        }
    }
    for streams in ["/api/v1/configmaps?watch=true", "/api/v1/namespaces/a/pods/x/log?follow=true"] {
        let (_term, [gated, _]) = clients(Some(200));
        let request = Request::get(streams).body(Vec::new()).unwrap();
        let begun = timeout(LONGER, gated.request::<serde_json::Value>(request)).await;
        assert!(begun.is_err(), "{streams} goes on for as long as it likes once it has begun: {begun:?}");
    }
}

/// Nobody knows whether a write without an answer has landed or will, so the Lease is not released soon after it.
#[tokio::test(start_paused = true)]
async fn a_write_that_runs_into_the_limit_is_unanswered() {
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        // The head tells of a success or a refusal, but not of an error within the server.
        for (head, unanswered) in [(None, true), (Some(500), true), (Some(200), false), (Some(409), false)] {
            let (term, [gated, _]) = clients(head);
            waited(&gated, method, "").await;
            assert_eq!(term.last_given_up().is_some(), unanswered, "{method}, {head:?}");
        }
    }
}
