use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, future::pending};
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::client::Body;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tower::{BoxError, Layer, Service};

use super::last_check::{LastCheck, Under};
use super::provided_client::ProvidedClient;
use super::*;
use crate::driver::clock::Clock;
use crate::driver::commands::AnnotationSender;
use crate::driver::connection::Connection;
use crate::identity::Identity;
use crate::name::LeaderElectionId;
use crate::revision::FencingToken;
use crate::time::Now;
use crate::validity::Validity;

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
struct ByHand(Mutex<Duration>);

impl ByHand {
    fn advance(&self, span: Duration) {
        *self.0.lock() += span;
    }
}

impl Clock for ByHand {
    fn now(&self) -> Now {
        Now::default().after(*self.0.lock())
    }

    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn sleep(&self, _span: Duration) -> BoxFuture<'static, ()> {
        pending().boxed()
    }
}

/// A term of nobody's candidate.
pub(super) fn term(validity: Validity, clock: Arc<dyn Clock>) -> Term {
    let lease = LeaderElectionId::new("op.example.com").unwrap().lease_name();
    let identity = Identity::of_pod("a", "1").unwrap();
    let annotation_sender = AnnotationSender::to(&tokio::sync::mpsc::unbounded_channel().0);
    Term::new(
        lease,
        identity,
        FencingToken(7),
        validity,
        clock.now(),
        clock,
        annotation_sender,
        BTreeMap::new(),
    )
}

/// A term that ends when the test says so.
struct Authority {
    clock: Arc<ByHand>,
    term: Term,
}

const LEFT: Duration = Duration::from_millis(1500);
const AGENT: &str = "op/1 (a_1)";

impl Authority {
    fn new() -> Self {
        let clock = Arc::new(ByHand::default());
        let term = term(Validity::starting(clock.now(), LEFT), clock.clone());
        Self { clock, term }
    }

    /// Validity ends, and only a reading of the clock tells.
    fn lapses(&self) {
        self.clock.advance(LEFT);
    }

    /// Validity ends, and whoever waits for it hears of it.
    fn ends(&self) {
        self.term.set_validity(Validity::over());
    }

    fn client_of(&self, server: impl Into<Connection>) -> Client {
        let pool = ClientPool::new(server, AGENT).unwrap().with_clock(self.clock.clone());
        self.term.client(&pool)
    }

    /// Whether a write may still land of which nobody knows.
    fn gave_up_on_a_write(&self) -> bool {
        self.term.last_given_up().is_some()
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::post("/api").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Under(self.term.clone()));
        request
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
                server.seen.lock().push(request.uri().to_string());
                let agents = request.headers().get_all(USER_AGENT).iter();
                server.agents.lock().extend(agents.map(|agent| agent.to_str().unwrap().to_owned()));
                server.answers.notified().await;
                let object = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}"#;
                Ok::<_, BoxError>(Response::new(Body::from(object.as_bytes().to_vec())))
            }
        });
        Client::new(service, "default")
    }

    /// Drives a request until it is here.
    async fn reached_by<F: Future>(&self, mut request: Pin<&mut F>) {
        while self.saw().is_empty() {
            assert!(request.as_mut().now_or_never().is_none(), "nobody answers");
            tokio::task::yield_now().await;
        }
    }

    fn saw(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

fn setting() -> (Authority, Server, Client) {
    let (authority, server) = (Authority::new(), Server::default());
    let client = authority.client_of(server.client());
    (authority, server, client)
}

async fn get(client: Client) -> kube::Result<ConfigMap> {
    Api::default_namespaced(client).get("x").await
}

#[tokio::test]
async fn a_given_client_introduces_itself_as_a_configured_one_does() {
    let (_authority, server, work) = setting();
    let Connection::Client(leases) = Connection::from(server.client()).with_user_agent(AGENT).unwrap() else {
        panic!("a client stays a client");
    };
    let ungated = ClientPool::new(server.client(), "op-stamper/1 (a_1)").unwrap().ungated();
    for client in [work, leases, ungated] {
        server.answers.notify_one();
        let said_otherwise = Request::get("/api/v1/namespaces/default/configmaps/x")
            .header(USER_AGENT, "somebody else")
            .body(Vec::new())
            .unwrap();
        client.request::<ConfigMap>(said_otherwise).await.unwrap();
    }
    assert_eq!(*server.agents.lock(), [AGENT, AGENT, "op-stamper/1 (a_1)"]);
}

/// A client queues a request as soon as it is called; the given one is not called before the last check has passed.
#[tokio::test]
async fn a_given_client_gets_nothing_once_validity_has_ended() {
    let (authority, server, _) = setting();
    let given = ProvidedClient::new(server.client(), HeaderValue::from_static(AGENT));
    let answer = LastCheck.layer(given).call(authority.request());
    authority.lapses();
    server.answers.notify_one();
    // Whatever is queued by now gets its turn first.
    tokio::task::yield_now().await;
    let error = answer.await.unwrap_err();
    assert!(error.to_string().contains("was not sent"), "{error}");
    assert!(server.saw().is_empty());
}

#[tokio::test]
async fn a_valid_holder_sends_with_the_time_that_is_left() {
    let (_authority, server, client) = setting();
    server.answers.notify_one();
    get(client).await.unwrap();
    assert_eq!(server.saw(), ["/api/v1/namespaces/default/configmaps/x?timeout=1500ms"]);
}

#[tokio::test]
async fn nothing_is_sent_after_the_end_and_the_error_says_so() {
    let (authority, server, client) = setting();
    authority.lapses();
    let sentence = get(client).await.unwrap_err().to_string();
    assert!(sentence.contains("was not sent") && sentence.contains("op.example.com"), "{sentence}");
    assert!(server.saw().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_once_the_work_of_a_term_was_joined_although_it_goes_on() {
    let (authority, server, client) = setting();
    assert_eq!(authority.term.close(), None);
    assert!(authority.term.is_valid());
    server.answers.notify_one();
    let sentence = get(client).await.unwrap_err().to_string();
    assert!(sentence.contains("was not sent"), "{sentence}");
    assert!(server.saw().is_empty());
}

/// Something that the work has left behind writes, and its connection is still being made at the join. The release waits for
/// LeaseDuration − RenewDeadline from the join, so the write must not be sent during that time.
#[tokio::test]
async fn a_write_that_waits_for_its_connection_is_not_sent_after_the_work_was_joined() {
    let authority = Authority::new();
    let (waits, connected, sent) = (Flag::default(), Arc::new(Notify::new()), Flag::default());
    let (reached, connection, arrived) = (waits.clone(), connected.clone(), sent.clone());
    let service = tower::service_fn(move |_: Request<Body>| {
        let (reached, connection, arrived) = (reached.clone(), connection.clone(), arrived.clone());
        async move {
            reached.set();
            connection.notified().await;
            arrived.set();
            Ok::<_, BoxError>(Response::new(Body::from(b"{}".to_vec())))
        }
    });
    let client = authority.client_of(Client::new(service, "default"));
    let request = Request::delete("/api/v1/namespaces/default/configmaps/x").body(Vec::new()).unwrap();
    let mut write = Box::pin(client.request::<serde_json::Value>(request));
    while !waits.is_set() {
        assert!(write.as_mut().now_or_never().is_none(), "nobody answers");
        tokio::task::yield_now().await;
    }
    assert_eq!(authority.term.close(), Some(authority.clock.now().monotonic), "it counts as given up on");
    assert!(authority.term.is_valid(), "the Lease is released later");
    connected.notify_one();
    let error = write.await.unwrap_err();
    assert!(error.to_string().contains("may have been applied"), "{error}");
    assert!(!sent.is_set(), "it was sent after the join");
}

#[derive(Clone, Default)]
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn an_answer_is_not_waited_for_beyond_the_end() {
    let (authority, server, client) = setting();
    let mut answer = Box::pin(get(client));
    server.reached_by(answer.as_mut()).await;
    authority.ends();
    let error = answer.await.unwrap_err();
    assert!(error.to_string().contains("may have been applied"), "{error}");
}

/// A holder's write to a server whose answer has this status.
async fn writes(status: u16) -> Authority {
    let service = tower::service_fn(move |_: Request<Body>| async move {
        Ok::<_, BoxError>(Response::builder().status(status).body(Body::from(b"{}".to_vec()))?)
    });
    let authority = Authority::new();
    let client = authority.client_of(Client::new(service, "default"));
    let request = Request::delete("/api/v1/namespaces/default/configmaps/x").body(Vec::new()).unwrap();
    drop(client.request::<serde_json::Value>(request).await);
    authority
}

#[tokio::test]
async fn only_an_answer_that_tells_settles_a_write() {
    for status in [200, 201, 404, 409, 422, 429] {
        assert!(!writes(status).await.gave_up_on_a_write(), "{status}");
    }
    for status in [307, 408, 499, 500, 503, 504] {
        assert!(writes(status).await.gave_up_on_a_write(), "{status}");
    }
}

#[tokio::test]
async fn a_write_whose_sender_is_aborted_is_given_up_on() {
    let (authority, server, client) = setting();
    let api = Api::<ConfigMap>::default_namespaced(client);
    let params = kube::api::DeleteParams::default();
    let mut aborted = Box::pin(api.delete("x", &params));
    server.reached_by(aborted.as_mut()).await;
    assert!(!authority.gave_up_on_a_write());
    drop(aborted);
    assert!(authority.gave_up_on_a_write());
}

#[tokio::test]
async fn a_write_whose_term_ends_before_the_answer_is_given_up_on() {
    let (authority, server, client) = setting();
    let api = Api::<ConfigMap>::default_namespaced(client);
    let params = kube::api::DeleteParams::default();
    let mut write = Box::pin(api.delete("x", &params));
    server.reached_by(write.as_mut()).await;
    authority.ends();
    write.await.unwrap_err();
    assert!(authority.gave_up_on_a_write());
}

#[tokio::test]
async fn a_read_that_is_given_up_on_is_nothing_to_wait_for() {
    let (authority, server, client) = setting();
    let mut read = Box::pin(get(client));
    server.reached_by(read.as_mut()).await;
    authority.ends();
    read.await.unwrap_err();
    assert!(!authority.gave_up_on_a_write());
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
            server.seen.lock().push(request.uri().to_string());
            server.answers.notified().await;
            Ok(())
        }
        .boxed()
    })
}

/// The queue in front of the connection: the first check passes, the request waits, and the second check stops it.
#[tokio::test]
async fn a_request_that_waited_too_long_in_the_queue_is_stopped_behind_it() {
    let (authority, server, _) = setting();
    let answer = LastCheck.layer(wire(&server)).call(authority.request());
    authority.lapses();
    let error = answer.await.unwrap_err();
    assert!(error.to_string().contains("was not sent"), "{error}");
    assert!(server.saw().is_empty());
}

#[tokio::test]
async fn a_request_under_way_is_not_driven_on_after_the_end() {
    let (authority, server, _) = setting();
    let mut answer = LastCheck.layer(wire(&server)).call(authority.request());
    assert!(futures::poll!(&mut answer).is_pending());
    authority.lapses();
    server.answers.notify_one();
    let error = answer.await.unwrap_err();
    assert!(error.to_string().contains("may have been applied"), "{error}");
}
