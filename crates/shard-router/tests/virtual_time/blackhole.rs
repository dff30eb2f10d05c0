//! A network that may lose everything without a word: requests, answers, and the events of watches that are open.

#[path = "blackhole/answers.rs"]
mod answers;
#[path = "blackhole/config_maps.rs"]
mod config_maps;
#[path = "blackhole/swallowed_lists.rs"]
mod swallowed_lists;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use embedded_apiserver::{AnswerBody, EmbeddedService};
use futures::{FutureExt, future::BoxFuture};
use http::{Method, Request, Response, StatusCode};
use kube::client::Body;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service;

use answers::{Answer, answer, status, too_many_requests};
use config_maps::ConfigMaps;
use swallowed_lists::SwallowedLists;

pub(crate) use answers::LeaseWatchFailure;

/// The service, or nothing.
#[derive(Clone)]
pub(crate) struct Blackhole {
    service: EmbeddedService,
    swallows: Arc<AtomicBool>,
    swallows_requests: Arc<AtomicBool>,
    loses: Arc<Mutex<Option<&'static str>>>,
    forbids: Arc<Mutex<Option<&'static str>>>,
    swallowed_lists: Arc<Mutex<SwallowedLists>>,
    connections: Arc<Mutex<CancellationToken>>,
    /// Of the answers that began since the last time that watches hung.
    hung: Arc<Mutex<Arc<AtomicBool>>>,
    lease_watches: Arc<Mutex<LeaseWatches>>,
    refuses_lease_lists: Arc<AtomicBool>,
    refuses_coordinator_reads: Arc<AtomicBool>,
    swallows_shard_writes: Arc<AtomicBool>,
    shard_conflicts: Arc<AtomicUsize>,
    too_many: Arc<Mutex<Option<Duration>>>,
    holds_up: Arc<Mutex<Option<Duration>>>,
    config_maps: ConfigMaps,
}

impl Blackhole {
    pub(crate) fn before(service: EmbeddedService) -> Self {
        Self {
            service,
            swallows: Arc::default(),
            swallows_requests: Arc::default(),
            loses: Arc::default(),
            forbids: Arc::default(),
            swallowed_lists: Arc::default(),
            connections: Arc::default(),
            hung: Arc::default(),
            lease_watches: Arc::default(),
            refuses_lease_lists: Arc::default(),
            refuses_coordinator_reads: Arc::default(),
            swallows_shard_writes: Arc::default(),
            shard_conflicts: Arc::default(),
            too_many: Arc::default(),
            holds_up: Arc::default(),
            config_maps: ConfigMaps::default(),
        }
    }

    /// Ends all watches that are open.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.connections.lock().expect("no panic")).cancel();
    }

    /// Whether nothing arrives any more, from now on. There is no reset: whoever waits, waits.
    pub(crate) fn swallow(&self, swallow: bool) {
        self.swallows.store(swallow, Ordering::Relaxed);
    }

    /// The same for new requests alone: watches that are open go on.
    pub(crate) fn swallow_requests(&self, swallow: bool) {
        self.swallows_requests.store(swallow, Ordering::Relaxed);
    }

    /// Never answers the lists of the shards whose lists come first, this many shards; 0 answers all from now on.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn swallow_lists_of_first(&self, shards: usize) {
        *self.swallowed_lists.lock().expect("no panic") = SwallowedLists::of_first(shards);
    }

    /// How many shards that befell.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn shards_with_swallowed_lists(&self) -> usize {
        self.swallowed_lists.lock().expect("no panic").count()
    }

    /// How many watches on Leases were asked for.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn lease_watches(&self) -> usize {
        self.lease_watches.lock().expect("no panic").begun.len()
    }

    /// When they were.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn lease_watches_begun(&self) -> Vec<Instant> {
        self.lease_watches.lock().expect("no panic").begun.clone()
    }

    /// Whether the last of them failed.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn last_lease_watch_failed(&self) -> bool {
        self.lease_watches.lock().expect("no panic").last_failed
    }

    /// How watches on Leases end that are asked for from now on. Those that are open go on.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn fail_lease_watches(&self, failure: Option<LeaseWatchFailure>) {
        self.lease_watches.lock().expect("no panic").failure = failure;
    }

    /// Whether lists of Leases are answered with 503 from now on, and watches on them. Single Leases can be read and written.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn refuse_lease_lists(&self, refuse: bool) {
        self.refuses_lease_lists.store(refuse, Ordering::Relaxed);
        self.fail_lease_watches(refuse.then_some(LeaseWatchFailure::Unavailable));
    }

    /// Whether reads of the coordinator Lease are answered with 503 from now on.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn refuse_coordinator_reads(&self, refuse: bool) {
        self.refuses_coordinator_reads.store(refuse, Ordering::Relaxed);
    }

    /// Whether writes of shard Leases do not arrive any more, from now on.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn swallow_shard_writes(&self, swallow: bool) {
        self.swallows_shard_writes.store(swallow, Ordering::Relaxed);
    }

    /// How many updates of shard Leases were refused, as somebody else had written.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn shard_conflicts(&self) -> usize {
        self.shard_conflicts.load(Ordering::Relaxed)
    }

    /// From now on the watches that are open show nothing more. New ones do.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn hang_open_watches(&self) {
        std::mem::take(&mut *self.hung.lock().expect("no panic")).store(true, Ordering::Relaxed);
    }

    /// The reads of ConfigMaps that no label selects, in the order in which they were sent.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn reads_of_config_maps(&self) -> Vec<&'static str> {
        self.config_maps.reads()
    }

    /// From now on the watches on ConfigMaps that are open show nothing more. New ones do.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn hang_watches_of_config_maps(&self) {
        self.config_maps.hang();
    }

    /// Which type is not found any more, from now on: each request for it (by its plural) is answered with 404. Watches that are open
    /// go on.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn lose(&self, plural: Option<&'static str>) {
        *self.loses.lock().expect("no panic") = plural;
    }

    /// Refuses all requests for ConfigMaps from now on as API Priority and Fairness does, in plain text, asking for this pause.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn refuse_as_too_many(&self, retry_after: Option<Duration>) {
        *self.too_many.lock().expect("no panic") = retry_after;
    }

    /// Writes of ConfigMaps that are sent from now on arrive so much later, even if their sender is gone by then.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn hold_up_writes(&self, by: Option<Duration>) {
        *self.holds_up.lock().expect("no panic") = by;
    }

    /// For which type (by its plural) every request is refused from now on, for want of a right.
    #[allow(dead_code, reason = "not every test program that shares this file needs it")]
    pub(crate) fn forbid(&self, plural: Option<&'static str>) {
        *self.forbids.lock().expect("no panic") = plural;
    }
}

impl Blackhole {
    /// An answer of this network's own, that arrives.
    fn whole(&self, answer: Response<AnswerBody>) -> Response<Answer> {
        let (hung, swallows) = (Vec::new(), self.swallows.clone());
        let cut = Box::pin(CancellationToken::new().cancelled_owned());
        answer.map(|body| Answer { body, swallows, hung, cut })
    }
}

impl Service<Request<Body>> for Blackhole {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.service, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let of_type = self.config_maps.observe(&request);
        if let Some(plural) = *self.loses.lock().expect("no panic") {
            let elsewhere = request.uri().to_string();
            let elsewhere = elsewhere.replace(&format!("/{plural}?"), "/lost?");
            let elsewhere = elsewhere.replace(&format!("/{plural}/"), "/lost/");
            *request.uri_mut() = elsewhere.parse().expect("a URI still");
        }
        if self.swallows.load(Ordering::Relaxed) || self.swallows_requests.load(Ordering::Relaxed) {
            return std::future::pending().boxed();
        }
        if let Some(plural) = *self.forbids.lock().expect("no panic")
            && request.uri().path().split('/').rev().take(2).any(|part| part == plural)
        {
            let message =
                format!("{plural} is forbidden: User \"op\" cannot do that with resource \"{plural}\"");
            let mut body = status(403, "Forbidden");
            body["message"] = message.into();
            let answer = self.whole(answer(StatusCode::FORBIDDEN, &body));
            return std::future::ready(Ok(answer)).boxed();
        }
        if let Some(pause) = *self.too_many.lock().expect("no panic")
            && request.uri().path().contains("/configmaps")
        {
            return std::future::ready(Ok(self.whole(too_many_requests(pause)))).boxed();
        }
        if self.swallowed_lists.lock().expect("no panic").swallows(&request) {
            return std::future::pending().boxed();
        }
        let is_of_lease = request.uri().path().contains("/leases");
        if is_of_lease && request.uri().query().is_some_and(|query| query.contains("watch=true")) {
            let mut watches = self.lease_watches.lock().expect("no panic");
            watches.begun.push(Instant::now());
            watches.last_failed = watches.failure.is_some();
            if let Some(failure) = watches.failure {
                return std::future::ready(Ok(self.whole(failure.answer()))).boxed();
            }
        } else if request.uri().path().ends_with("/leases")
            && request.method() == Method::GET
            && self.refuses_lease_lists.load(Ordering::Relaxed)
            || request.uri().path().ends_with(&format!("/leases/{}", crate::harness::ID))
                && request.method() == Method::GET
                && self.refuses_coordinator_reads.load(Ordering::Relaxed)
        {
            let answer = self.whole(LeaseWatchFailure::Unavailable.answer());
            return std::future::ready(Ok(answer)).boxed();
        }
        let is_of_shard = is_of_lease && request.uri().path().contains("-shard-");
        if is_of_shard
            && request.method() != Method::GET
            && self.swallows_shard_writes.load(Ordering::Relaxed)
        {
            return std::future::pending().boxed();
        }
        let conflicts = is_of_shard.then(|| self.shard_conflicts.clone());
        let is_held_up = request.method() != Method::GET && request.uri().path().contains("/configmaps");
        let held_up = self.holds_up.lock().expect("no panic").filter(|_| is_held_up);
        let answer = match held_up {
            // A task of its own is not dropped with its sender.
            Some(by) => {
                let mut service = self.service.clone();
                let arrives = tokio::spawn(async move {
                    tokio::time::sleep(by).await;
                    service.call(request).await
                });
                arrives.map(|answer| answer.expect("no panic")).boxed()
            }
            None => self.service.call(request),
        };
        let swallows = self.swallows.clone();
        let hung = of_type.into_iter().chain([self.hung.lock().expect("no panic").clone()]).collect();
        let cut = self.connections.lock().expect("no panic").clone().cancelled_owned();
        let cut = Box::pin(cut);
        async move {
            let answer = answer.await?;
            if let Some(conflicts) = conflicts.filter(|_| answer.status() == StatusCode::CONFLICT) {
                conflicts.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer.map(|body| Answer { body, swallows, hung, cut }))
        }
        .boxed()
    }
}

/// Watches on Leases, as asked for.
#[derive(Default)]
struct LeaseWatches {
    begun: Vec<Instant>,
    last_failed: bool,
    failure: Option<LeaseWatchFailure>,
}
