//! The API server in memory, and how often a replica has asked it for what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use embedded_apiserver::{AnswerBody, EmbeddedService};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, BodyStream, StreamBody};
use kube::client::Body;
use tower::{BoxError, Service};

/// By path of the resource, for each write of a stamper: by whom it was sent, and verb and resource as RBAC names them.
pub(crate) type Stamps = BTreeMap<String, Vec<(String, String)>>;

/// Counts requests. Clones count together.
#[derive(Clone)]
pub(crate) struct Counter {
    service: EmbeddedService,
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
    stamps: Arc<Mutex<Stamps>>,
    /// How much later children are shown, by lists and by watches.
    pub(crate) lag: Arc<Mutex<Duration>>,
}

impl Counter {
    pub(crate) fn before(service: EmbeddedService) -> Self {
        Self { service, counts: Arc::default(), stamps: Arc::default(), lag: Arc::default() }
    }

    pub(crate) fn reset(&self) {
        self.counts.lock().expect("no panic").clear();
        self.stamps.lock().expect("no panic").clear();
    }

    /// The requests by verb and resource, without those about Leases (of which events are told as `events` of the core API), and without
    /// lists and watches.
    pub(crate) fn of_work(&self) -> BTreeMap<String, usize> {
        let mut counts = self.counts.lock().expect("no panic").clone();
        counts.retain(|request, _| {
            !request.ends_with(" leases.coordination.k8s.io")
                && !request.ends_with(" events")
                && !request.starts_with("list ")
                && !request.starts_with("watch ")
        });
        counts
    }

    /// What stampers have written.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn stamps(&self) -> Stamps {
        self.stamps.lock().expect("no panic").clone()
    }

    /// How often this was asked.
    pub(crate) fn count(&self, request: &str) -> usize {
        self.counts.lock().expect("no panic").get(request).copied().unwrap_or_default()
    }
}

/// `patch memcacheds/status.cache.example.com`, as RBAC names verb and resource.
fn named(request: &Request<Body>) -> String {
    let path = request.uri().path();
    let (group, rest) = match path.strip_prefix("/apis/").and_then(|rest| rest.split_once('/')) {
        Some((group, rest)) => (format!(".{group}"), rest),
        None => (String::new(), path.trim_start_matches("/api/")),
    };
    let mut parts = rest.split('/').skip(1).peekable();
    if parts.next_if_eq(&"namespaces").is_some() {
        parts.next();
    }
    let resource = parts.next().unwrap_or_default();
    let name = parts.next();
    let sub = parts.next().map(|sub| format!("/{sub}")).unwrap_or_default();
    let verb = match (request.method(), name) {
        (&Method::GET, None) if request.uri().query().is_some_and(|query| query.contains("watch=true")) => {
            "watch"
        }
        (&Method::GET, None) => "list",
        (&Method::GET, Some(_)) => "get",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (method, _) => method.as_str(),
    };
    format!("{verb} {resource}{sub}{group}")
}

/// Which replica sends this as a stamp, by its user agent.
fn stamper(request: &Request<Body>) -> Option<String> {
    let agent = request.headers().get(http::header::USER_AGENT)?.to_str().ok()?;
    agent.contains("-stamper/").then(|| agent.to_owned())
}

const CHILDREN: [&str; 3] = [" services", " statefulsets.apps", " poddisruptionbudgets.policy"];

/// The same body, each part of it that much later.
fn later(body: AnswerBody, lag: Duration) -> UnsyncBoxBody<Bytes, BoxError> {
    let parts = BodyStream::new(body).then(move |part| async move {
        tokio::time::sleep(lag).await;
        part.map_err(BoxError::from)
    });
    BodyExt::boxed_unsync(StreamBody::new(parts))
}

impl Service<Request<Body>> for Counter {
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::<Request<Body>>::poll_ready(&mut self.service, cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let name = named(&request);
        let shows = name.starts_with("list ") || name.starts_with("watch ");
        let of_children = CHILDREN.iter().any(|children| name.ends_with(children));
        let lag = if shows && of_children { *self.lag.lock().expect("no panic") } else { Duration::ZERO };
        if let Some(stamper) = stamper(&request).filter(|_| !shows) {
            let path = request.uri().path().trim_end_matches("/status").to_owned();
            self.stamps.lock().expect("no panic").entry(path).or_default().push((stamper, name.clone()));
        }
        *self.counts.lock().expect("no panic").entry(name).or_default() += 1;
        let mut service = self.service.clone();
        async move {
            let answer = service.call(request).await?;
            Ok(answer.map(|body| later(body, lag)))
        }
        .boxed()
    }
}
