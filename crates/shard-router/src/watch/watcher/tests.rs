//! Through kube-runtime's own watcher, in virtual time.

use std::{
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use k8s_openapi::{api::core::v1::ConfigMap, jiff::Timestamp};
use kube::{Client, client::Body};
use lease_core::{Boottime, Monotonic, Now};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;

/// The clocks of a runtime whose time is paused.
#[derive(Debug)]
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Now {
        let passed = self.0.elapsed();
        Now { monotonic: Monotonic::from_origin(passed), boottime: Boottime::from_origin(passed) }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(span))
    }
}

fn watcher() -> Watcher {
    Watcher { clock: Arc::new(Virtual(Instant::now())), log_limit: LogLimit::default() }
}

/// A server that answers lists and watches as told, and counts the requests.
fn server(
    answer: impl Fn(bool) -> (u16, Value) + Send + Sync + Clone + 'static,
) -> (Api<ConfigMap>, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let (code, body) = answer(watches);
        let response = Response::builder().status(code).body(Body::from(format!("{body}\n").into_bytes()));
        async move { Ok::<_, Infallible>(response.unwrap()) }
    });
    (Api::namespaced(Client::new(service, "ns"), "ns"), requests)
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "reason": "x", "code": code})
}

fn empty_list() -> Value {
    json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": []})
}

/// How many requests ten minutes of watching cost.
async fn requests_in_ten_minutes(
    answer: impl Fn(bool) -> (u16, Value) + Send + Sync + Clone + 'static,
) -> usize {
    let (api, requests) = server(answer);
    let mut events = watcher().watch(api, watcher::Config::default(), WatchBackoff::seeded(1), at_once);
    let watching = async { while events.next().await.is_some() {} };
    drop(tokio::time::timeout(Duration::from_mins(10), watching).await);
    requests.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_refused_is_asked_for_about_twice_a_minute() {
    let requests = requests_in_ten_minutes(|_| (403, status(403))).await;
    assert!((20..=50).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_asked_for_every_few_seconds() {
    let requests = requests_in_ten_minutes(|_| (500, status(500))).await;
    assert!((120..=250).contains(&requests), "{requests}");
}

/// Between two failures there is a list that succeeds. That is no recovery.
#[tokio::test(start_paused = true)]
async fn a_watch_that_begins_anew_again_and_again_is_left_alone_longer_each_time() {
    for code in [410, 500] {
        let gone = json!({"type": "ERROR", "object": status(code)});
        let answer = move |watches| (200, if watches { gone.clone() } else { empty_list() });
        let requests = requests_in_ten_minutes(answer).await;
        assert!((120..=600).contains(&requests), "{code}: {requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_to_list_without_the_right_to_watch_is_waited_for() {
    let answer = |watches| if watches { (403, status(403)) } else { (200, empty_list()) };
    let requests = requests_in_ten_minutes(answer).await;
    assert!((20..=50).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_nothing_is_asked_before_it_may() {
    let (api, requests) = server(|_| (500, status(500)));
    let asked = Arc::new(Mutex::new(0));
    let counted = asked.clone();
    let again = move || -> BoxFuture<'static, ()> {
        *counted.lock().unwrap() += 1;
        Box::pin(std::future::pending())
    };
    let mut events = watcher().watch(api, watcher::Config::default(), WatchBackoff::seeded(1), again);
    let watching = async { while events.next().await.is_some() {} };
    drop(tokio::time::timeout(Duration::from_mins(10), watching).await);
    assert_eq!((requests.load(Ordering::Relaxed), *asked.lock().unwrap()), (1, 1));
}
