//! The API server in memory behind faults, and what was written through them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use embedded_apiserver::{AnswerBody, EmbeddedService};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::Body;
use memcached_operator::crd::MemcachedStatus;
use serde_json::Value;
use tower::{BoxError, Service};

use crate::answers::Answer;

/// What befell the resource of one name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    /// How often its StatefulSet was applied in vain.
    pub(crate) failures: usize,
    /// Each status that was written, after so many failures.
    pub(crate) told: Vec<(usize, MemcachedStatus)>,
}

/// A network between a replica and the API server. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Faults {
    service: EmbeddedService,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: BTreeMap<String, Answer>,
    reports: BTreeMap<String, Reports>,
}

impl Faults {
    pub(crate) fn before(service: EmbeddedService) -> Self {
        Self { service, state: Arc::default() }
    }

    /// How StatefulSets that are applied are answered from now on, by name. Others are applied.
    pub(crate) fn answer(&self, answers: BTreeMap<String, Answer>) {
        let mut state = self.state();
        state.answers = answers;
        state.reports.clear();
    }

    /// What has happened since the answers were last changed.
    pub(crate) fn reports(&self, name: &str) -> Reports {
        self.state().reports.get(name).cloned().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// What comes of an apply of a StatefulSet that has to fail.
    fn fail(&self, name: &str) -> Option<<Self as Service<Request<Body>>>::Future> {
        let mut state = self.state();
        let answer = *state.answers.get(name)?;
        let reports = state.reports.entry(name.to_owned()).or_default();
        reports.failures += 1;
        Some(match answer.give(reports.failures) {
            Some(answer) => std::future::ready(answer.map_err(Into::into)).boxed(),
            None => std::future::pending().boxed(),
        })
    }

    fn note(&self, name: &str, body: &[u8]) {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        // The router's own writes carry the bucket alone.
        let Some(status) = body.get("status").filter(|status| status.get("conditions").is_some()) else {
            return;
        };
        let status = serde_json::from_value(status.clone()).expect("a status");
        let mut state = self.state();
        let reports = state.reports.entry(name.to_owned()).or_default();
        reports.told.push((reports.failures, status));
    }
}

impl Service<Request<Body>> for Faults {
    type Response = Response<AnswerBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Service::<Request<Body>>::poll_ready(&mut self.service, cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let is_write = request.method() == Method::PATCH || request.method() == Method::POST;
        let applied = path.split_once("/statefulsets/").filter(|_| is_write).map(|(_, name)| name);
        if let Some(failed) = applied.and_then(|name| self.fail(name)) {
            return failed;
        }
        let told = path.split_once("/memcacheds/").filter(|_| is_write);
        let told = told.and_then(|(_, rest)| rest.strip_suffix("/status")).map(str::to_owned);
        let (this, mut service) = (self.clone(), self.service.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await?;
            let answer = service.call(Request::from_parts(head, Body::from(body.clone()))).await?;
            if let Some(name) = told.filter(|_| answer.status().is_success()) {
                this.note(&name, &body);
            }
            Ok(answer)
        }
        .boxed()
    }
}
