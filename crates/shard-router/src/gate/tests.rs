use std::{
    sync::Mutex,
    sync::atomic::{AtomicU64, Ordering},
};

use futures::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use tokio::sync::Notify;
use tower::Service;

use super::*;

/// An authority that ends when the test says so.
#[derive(Default)]
struct Authorised {
    left_millis: AtomicU64,
    ended: Notify,
    begun: AtomicU64,
    unanswered: AtomicU64,
}

impl Authority for Authorised {
    fn remaining(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.left_millis.load(Ordering::SeqCst))).filter(|left| !left.is_zero())
    }

    fn over(&self) -> BoxFuture<'_, ()> {
        self.ended.notified().boxed()
    }

    fn lease(&self) -> String {
        "op-shard-3".into()
    }

    fn write_begins(&self) -> bool {
        self.begun.fetch_add(1, Ordering::SeqCst);
        true
    }

    fn write_ends(&self, answered: bool) {
        self.begun.fetch_sub(1, Ordering::SeqCst);
        self.unanswered.fetch_add(u64::from(!answered), Ordering::SeqCst);
    }
}

/// A server that answers after the test lets it, and notes what reached it, and from whom.
#[derive(Clone, Default)]
struct Server {
    seen: Arc<Mutex<Vec<String>>>,
    agents: Arc<Mutex<Vec<String>>>,
    answers: Arc<Notify>,
}

impl Server {
    /// A client with nothing between itself and the server.
    fn client(&self) -> Client {
        let answering = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = answering.clone();
            async move {
                server.seen.lock().unwrap().push(request.uri().to_string());
                let agents = request.headers().get_all(USER_AGENT).iter();
                server.agents.lock().unwrap().extend(agents.map(|agent| agent.to_str().unwrap().to_owned()));
                server.answers.notified().await;
                let object = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}"#;
                Ok::<_, BoxError>(Response::new(Body::from(object.as_bytes().to_vec())))
            }
        });
        Client::new(service, "default")
    }
}

fn setting(left_millis: u64) -> (Arc<Authorised>, Server, Client) {
    let authority = Arc::new(Authorised { left_millis: left_millis.into(), ..Authorised::default() });
    let server = Server::default();
    let base =
        Base::new(server.client().into(), "op/1 (a_1)", Arc::new(lease_core::SystemClock), rights()).unwrap();
    let client = base.gated(&Pass(authority.clone()));
    (authority, server, client)
}

#[tokio::test]
async fn a_given_client_introduces_itself_as_a_configured_one_does() {
    let (_authority, server, reconciler) = setting(1500);
    let Connection::Client(leases) = introduced(server.client().into(), "op/1 (a_1)").unwrap() else {
        panic!("a client stays a client");
    };
    let stamper =
        Base::new(server.client().into(), "op-stamper/1 (a_1)", Arc::new(lease_core::SystemClock), rights())
            .unwrap()
            .ungated();
    for client in [reconciler, leases, stamper] {
        server.answers.notify_one();
        let said_otherwise = Request::get("/api/v1/namespaces/default/configmaps/x")
            .header(USER_AGENT, "somebody else")
            .body(Vec::new())
            .unwrap();
        client.request::<ConfigMap>(said_otherwise).await.unwrap();
    }
    assert_eq!(*server.agents.lock().unwrap(), ["op/1 (a_1)", "op/1 (a_1)", "op-stamper/1 (a_1)"]);
}

/// A client queues a request as soon as it is called; the given one is not called before the last check has passed.
#[tokio::test]
async fn a_given_client_gets_nothing_once_validity_has_ended() {
    let (authority, server, _) = setting(1500);
    let mut request = Request::post("/api").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Pass(authority.clone()));
    let given = Given::new(server.client(), HeaderValue::from_static("op/1 (a_1)"));
    let answer = wire::LastCheck.layer(given).call(request);
    authority.left_millis.store(0, Ordering::SeqCst);
    server.answers.notify_one();
    // Whatever is queued by now gets its turn first.
    tokio::task::yield_now().await;
    let error = answer.await.unwrap_err();
    assert!(error.to_string().contains("was not sent"), "{error}");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_valid_holder_sends_with_the_time_that_is_left() {
    let (_authority, server, client) = setting(1500);
    server.answers.notify_one();
    Api::<ConfigMap>::default_namespaced(client).get("x").await.unwrap();
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen, ["/api/v1/namespaces/default/configmaps/x?timeout=1500ms"]);
}

#[tokio::test]
async fn nothing_is_sent_after_the_end_and_the_error_says_so() {
    let (_authority, server, client) = setting(0);
    let error = Api::<ConfigMap>::default_namespaced(client).get("x").await.unwrap_err();
    let sentence = error.to_string();
    assert!(sentence.contains("was not sent") && sentence.contains("op-shard-3"), "{sentence}");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_is_not_waited_for_beyond_the_end() {
    let (authority, _server, client) = setting(1500);
    authority.ended.notify_one();
    let error = Api::<ConfigMap>::default_namespaced(client).get("x").await.unwrap_err();
    assert!(error.to_string().contains("it may have landed"), "{error}");
}

/// A holder's writes to a server whose answer has this status.
async fn writes(status: u16) -> (Arc<Authorised>, Client) {
    let service = tower::service_fn(move |_: Request<Body>| async move {
        Ok::<_, BoxError>(Response::builder().status(status).body(Body::from(b"{}".to_vec()))?)
    });
    let authority = Arc::new(Authorised { left_millis: 1500.into(), ..Authorised::default() });
    let base = Base::new(
        Client::new(service, "default").into(),
        "op/1 (a_1)",
        Arc::new(lease_core::SystemClock),
        rights(),
    )
    .unwrap();
    let client = base.gated(&Pass(authority.clone()));
    let request = Request::delete("/api/v1/namespaces/default/configmaps/x").body(Vec::new()).unwrap();
    drop(client.request::<serde_json::Value>(request).await);
    (authority, client)
}

#[tokio::test]
async fn only_an_answer_that_tells_settles_a_write() {
    for status in [200, 404, 409, 422, 429] {
        let (authority, _client) = writes(status).await;
        assert_eq!(authority.unanswered.load(Ordering::SeqCst), 0, "{status}");
    }
    for status in [408, 499, 500, 503, 504] {
        let (authority, _client) = writes(status).await;
        assert_eq!(authority.unanswered.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn a_write_that_is_given_up_on_is_reported() {
    let (authority, server, client) = setting(1500);
    let delete = || {
        let api = Api::<ConfigMap>::default_namespaced(client.clone());
        async move { api.delete("x", &kube::api::DeleteParams::default()).await }
    };
    // Its sender is aborted.
    let mut aborted = Box::pin(delete());
    while server.seen.lock().unwrap().is_empty() {
        assert!(aborted.as_mut().now_or_never().is_none(), "nobody answers");
        tokio::task::yield_now().await;
    }
    drop(aborted);
    assert_eq!((authority.begun.load(Ordering::SeqCst), authority.unanswered.load(Ordering::SeqCst)), (0, 1));
    // Validity ends before the answer.
    authority.ended.notify_one();
    delete().await.unwrap_err();
    assert_eq!((authority.begun.load(Ordering::SeqCst), authority.unanswered.load(Ordering::SeqCst)), (0, 2));
}

#[tokio::test]
async fn a_read_that_is_given_up_on_is_nothing_to_wait_for() {
    let (authority, _server, client) = setting(1500);
    authority.ended.notify_one();
    Api::<ConfigMap>::default_namespaced(client).get("x").await.unwrap_err();
    assert_eq!(authority.unanswered.load(Ordering::SeqCst), 0);
}

/// A service that notes when a request would go to the wire: at its first poll.
fn wire(
    server: &Server,
) -> impl Service<
    Request<Body>,
    Response = (),
    Error = BoxError,
    Future = BoxFuture<'static, Result<(), BoxError>>,
> + use<> {
    let server = server.clone();
    tower::service_fn(move |request: Request<Body>| {
        let server = server.clone();
        async move {
            server.seen.lock().unwrap().push(request.uri().to_string());
            server.answers.notified().await;
            Ok(())
        }
        .boxed()
    })
}

/// The queue in front of the connection: the first check passes, the request waits, and the second check stops it.
#[tokio::test]
async fn a_request_that_waited_too_long_in_the_queue_is_stopped_behind_it() {
    let (authority, server, _) = setting(1500);
    let mut request = Request::post("/api").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Pass(authority.clone()));
    let answer = wire::LastCheck.layer(wire(&server)).call(request);
    authority.left_millis.store(0, Ordering::SeqCst);
    let error = answer.await.unwrap_err();
    assert!(error.to_string().contains("was not sent"), "{error}");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_request_under_way_is_not_driven_on_after_the_end() {
    let (authority, server, _) = setting(1500);
    let mut request = Request::post("/api").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Pass(authority.clone()));
    let mut answer = wire::LastCheck.layer(wire(&server)).call(request);
    assert!(futures::poll!(&mut answer).is_pending());
    authority.left_millis.store(0, Ordering::SeqCst);
    server.answers.notify_one();
    let error = answer.await.unwrap_err();
    assert!(error.to_string().contains("it may have landed"), "{error}");
}

fn rights() -> Arc<Rights> {
    Arc::new(Rights::new(Arc::<crate::testing::ByHand>::default(), Duration::from_secs(60)))
}
