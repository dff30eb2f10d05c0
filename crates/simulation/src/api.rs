//! The API server: kube-testkit's, at true time, with faults of its own, and a log of what it received.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use embedded_apiserver::{Answer, Machine, Reply, Seams, Shape};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::clock::EPOCH;
use crate::schedule::ApiFailure;
use crate::seed::stream;
use crate::time::TrueTime;

/// The server.
pub(crate) struct Api {
    machine: Machine,
    /// Of the requests before the last restore.
    shapes: BTreeSet<Shape>,
    time: Arc<ServerTime>,
    /// Since when it has been down.
    pub(crate) down: bool,
}

/// What the machine takes its time and its uids from.
struct ServerTime {
    nanos: AtomicU64,
    rng: std::sync::Mutex<fastrand::Rng>,
}

impl Seams for ServerTime {
    fn now(&self) -> Timestamp {
        let nanos = i64::try_from(self.nanos.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        EPOCH.saturating_add(SignedDuration::from_nanos(nanos)).unwrap_or(EPOCH)
    }

    fn bits(&self) -> u128 {
        self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner).u128(..)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        // Only `EmbeddedServer` sleeps; the world paces the watches itself.
        std::future::pending().boxed()
    }
}

impl Api {
    /// An empty server.
    pub(crate) fn new(seed: u64) -> Self {
        let rng = std::sync::Mutex::new(stream(seed, "api server"));
        let time = Arc::new(ServerTime { nanos: AtomicU64::new(0), rng });
        Self { machine: Machine::new(time.clone()), shapes: BTreeSet::new(), time, down: false }
    }

    /// The server's state.
    pub(crate) fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// The same, to look at.
    pub(crate) fn look(&self) -> &Machine {
        &self.machine
    }

    /// Goes on from a backup.
    pub(crate) fn restore(&mut self, backup: Machine) {
        self.shapes = self.shapes();
        self.machine = backup;
    }

    /// The shapes of all requests so far, whatever became of their effects.
    pub(crate) fn shapes(&self) -> BTreeSet<Shape> {
        self.machine.shapes().keys().chain(&self.shapes).cloned().collect()
    }

    /// Carries out a request that arrives at this time.
    pub(crate) fn handle(&mut self, at: TrueTime, request: &Request<Bytes>) -> Reply {
        self.time.nanos.fetch_max(at.nanos(), Ordering::Relaxed);
        let reply = self.machine.handle(request);
        if request.method() != Method::GET {
            self.machine.collect_garbage();
        }
        reply
    }

    /// A request by a user or a stand-in, who are beside the server; `None` where it comes too late for what is there.
    ///
    /// # Panics
    /// If the server refuses what the request says: then the fault or the edit would be one in name only.
    pub(crate) fn ask(
        &mut self,
        at: TrueTime,
        method: Method,
        uri: &str,
        body: Option<&Value>,
    ) -> Option<Bytes> {
        let answer = self.attempt(at, method, uri, body);
        match answer.status {
            ..300 => Some(answer.body),
            404 | 409 => None,
            status => {
                let said = String::from_utf8_lossy(&answer.body);
                panic!("{uri}: the server refuses what a stand-in sends, with {status}: {said}")
            }
        }
    }

    /// Likewise, whatever the server says to it.
    ///
    /// # Panics
    /// If it is a watch.
    pub(crate) fn attempt(
        &mut self,
        at: TrueTime,
        method: Method,
        uri: &str,
        body: Option<&Value>,
    ) -> Answer {
        let content_type = match method {
            // As the operator applies, for what restores its objects.
            Method::PATCH if uri.contains("fieldManager=") => "application/apply-patch+yaml",
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(http::header::CONTENT_TYPE, content_type)
            .body(bytes)
            .expect("the stand-ins ask for sound paths");
        match self.handle(at, &request) {
            Reply::Answer(answer) => answer,
            Reply::Watch(_) => panic!("{uri}: a stand-in asks for no watch here"),
        }
    }
}

/// The answer of a server that fails.
pub(crate) fn failed_answer(failure: ApiFailure) -> (Answer, Option<&'static str>) {
    let (code, reason, message, retry_after) = match failure {
        ApiFailure::Conflict => (
            409,
            "Conflict",
            "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest \
             version and try again",
            None,
        ),
        ApiFailure::TooManyRequests => {
            (429, "TooManyRequests", "too many requests, please try again later", Some("1"))
        }
        ApiFailure::InternalError => {
            (500, "InternalError", "an error on the server has prevented the request", None)
        }
        ApiFailure::Forbidden => {
            (403, "Forbidden", "the resource is forbidden: this replica may not list it", None)
        }
        ApiFailure::TimeoutBefore | ApiFailure::TimeoutAfter => {
            (504, "Timeout", "request did not complete within requested timeout", None)
        }
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (Answer { status: code, content_type: "application/json", body: status.to_string().into() }, retry_after)
}
