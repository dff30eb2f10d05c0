//! The target of a request and its answer, for the observers of rights and progress.

use std::{future::Future, sync::Arc, time::Duration};

use http::{HeaderMap, Method, Request, Response, StatusCode, header::RETRY_AFTER};
use kube::client::Body;
use serde::Deserialize;
use tower::BoxError;

/// The maximum length of an error in a sentence: the API server may quote a whole object.
const LONGEST_MESSAGE: usize = 300;

/// A request as RBAC sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    pub(crate) verb: &'static str,
    /// `plural.group`, or `plural/subresource.group`; the group of the core API is left out.
    pub(crate) resource: String,
    /// `None` for all namespaces, or a resource that is in none.
    pub(crate) namespace: Option<String>,
}

/// How a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The API server accepted it. For a watch, it has begun.
    Accepted,
    /// The API server refused it.
    Refused {
        /// The HTTP status.
        code: u16,
        /// The message of the API server.
        message: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// No answer.
    Failed(String),
}

/// Is notified of the answer to each request.
pub(crate) trait Observer: Send + Sync {
    fn answered(&self, target: &Target, answer: &Answer);
}

impl Target {
    /// `None` for a request that is not about a resource, such as `/version`.
    pub(crate) fn of<B>(request: &Request<B>) -> Option<Self> {
        let mut parts = request.uri().path().trim_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        let (_version, mut first) = (parts.next()?, parts.next()?);
        let mut namespace = None;
        let mut name = parts.next();
        if first == "namespaces"
            && let Some(within) = name
            && let Some(resource) = parts.next()
        {
            (namespace, first, name) = (Some(within.to_owned()), resource, parts.next());
        }
        let plural = parts.next().map_or_else(|| first.to_owned(), |sub| format!("{first}/{sub}"));
        let resource = if group.is_empty() { plural } else { format!("{plural}.{group}") };
        let watches = request.uri().query().is_some_and(|query| query.split('&').any(is_watch));
        let verb = match (request.method(), name) {
            (&Method::GET, _) if watches => "watch",
            (&Method::GET, Some(_)) => "get",
            (&Method::GET, None) => "list",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, Some(_)) => "delete",
            (&Method::DELETE, None) => "deletecollection",
            _ => return None,
        };
        Some(Self { verb, resource, namespace })
    }
}

fn is_watch(parameter: &str) -> bool {
    matches!(parameter.split_once('='), Some(("watch", "true" | "1")))
}

/// Waits for the answer to a request, notifies the observers, and passes it on unchanged.
pub(crate) async fn observed(
    target: Option<Target>,
    observers: &[Arc<dyn Observer>],
    answer: impl Future<Output = kube::Result<Response<Body>>>,
) -> Result<Response<Body>, BoxError> {
    let answer = answer.await.map_err(BoxError::from);
    let Some(target) = target else { return answer };
    let (told, answer) = match answer {
        Ok(response) => described(response).await,
        Err(error) => (Answer::Failed(shortened(error.to_string())), Err(error)),
    };
    for observer in observers {
        observer.answered(&target, &told);
    }
    answer
}

/// Reads the body of a refusal, which is small, and puts it back. If the body is incomplete, the observers are still notified of the refusal,
/// but the caller gets an error.
async fn described(response: Response<Body>) -> (Answer, Result<Response<Body>, BoxError>) {
    let status = response.status();
    if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
        return (Answer::Accepted, Ok(response));
    }
    let (mut head, body) = response.into_parts();
    let retry_after = retry_after(&head.headers);
    if !status.is_client_error() && !status.is_server_error() {
        // kube takes it for success and looks for an object in the `Status`. A webhook that denies with a code above 599 gets it passed
        // on by the API server.
        head.status = StatusCode::INTERNAL_SERVER_ERROR;
    }
    match body.collect_bytes().await {
        Ok(body) => {
            let said =
                serde_json::from_slice::<StatusMessage>(&body).map(|said| said.message).unwrap_or_default();
            let told = Answer::Refused { code: status.as_u16(), message: shortened(said), retry_after };
            (told, Ok(Response::from_parts(head, Body::from(body))))
        }
        Err(error) => {
            let told =
                Answer::Refused { code: status.as_u16(), message: shortened(error.to_string()), retry_after };
            (told, Err(error.into()))
        }
    }
}

/// In seconds, as the API server writes it, also where there is no `Status`: API Priority and Fairness refuses in plain text.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The fields of a `Status` that are used.
#[derive(Deserialize)]
struct StatusMessage {
    #[serde(default)]
    message: String,
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Seconds, for messages.
pub(crate) fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct RecordingObserver(parking_lot::Mutex<Vec<Answer>>);

    impl Observer for RecordingObserver {
        fn answered(&self, _: &Target, answer: &Answer) {
            self.0.lock().push(answer.clone());
        }
    }

    fn observers(observer: &Arc<RecordingObserver>) -> [Arc<dyn Observer>; 1] {
        [observer.clone()]
    }

    fn target(method: &str, uri: &str) -> Option<(String, String, Option<String>)> {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        Target::of(&request).map(|target| (target.verb.to_owned(), target.resource, target.namespace))
    }

    #[test]
    fn a_request_is_named_as_rbac_names_it() {
        let all = |verb: &str, resource: &str| Some((verb.to_owned(), resource.to_owned(), None));
        let within =
            |verb: &str, resource: &str| Some((verb.to_owned(), resource.to_owned(), Some("ns".to_owned())));
        for (method, uri, expected) in [
            ("GET", "/apis/a.io/v1/things?limit=500", all("list", "things.a.io")),
            ("GET", "/apis/a.io/v1/things?watch=true&x=1", all("watch", "things.a.io")),
            ("GET", "/apis/a.io/v1/namespaces/ns/things/x", within("get", "things.a.io")),
            ("PATCH", "/apis/a.io/v1/namespaces/ns/things/x/status?", within("patch", "things/status.a.io")),
            ("POST", "/api/v1/namespaces/ns/services", within("create", "services")),
            ("DELETE", "/api/v1/namespaces/ns/services", within("deletecollection", "services")),
            ("GET", "/api/v1/namespaces/ns", all("get", "namespaces")),
            ("GET", "/api/v1/namespaces", all("list", "namespaces")),
            ("GET", "/version", None),
        ] {
            assert_eq!(target(method, uri), expected, "{method} {uri}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_and_reaches_the_one_who_asked() {
        let observer = Arc::new(RecordingObserver::default());
        let body = r#"{"kind":"Status","message":"no"}"#;
        let refusal = Response::builder().status(403).body(Body::from(body.as_bytes().to_vec())).unwrap();
        let request = Request::get("/api/v1/services").body(()).unwrap();
        let answer = std::future::ready(Ok(refusal));
        let passed_on = observed(Target::of(&request), &observers(&observer), answer).await.unwrap();
        assert_eq!(passed_on.into_body().collect_bytes().await.unwrap(), body);
        assert_eq!(
            *observer.0.lock(),
            [Answer::Refused { code: 403, message: "no".into(), retry_after: None }]
        );
    }

    #[tokio::test]
    async fn a_refusal_with_a_code_that_kube_takes_for_success_is_a_failure_all_the_same() {
        for code in [302, 600, 999] {
            let body = r#"{"kind":"Status","message":"no"}"#;
            let request = Request::get("/api/v1/services").body(()).unwrap();
            let refusal =
                Response::builder().status(code).body(Body::from(body.as_bytes().to_vec())).unwrap();
            let observer = Arc::new(RecordingObserver::default());
            let answer = std::future::ready(Ok(refusal));
            let passed_on = observed(Target::of(&request), &observers(&observer), answer).await.unwrap();
            assert!(passed_on.status().is_server_error(), "{code}");
            assert_eq!(
                *observer.0.lock(),
                [Answer::Refused { code, message: "no".into(), retry_after: None }]
            );
        }
    }

    /// As API Priority and Fairness refuses.
    #[tokio::test]
    async fn how_long_the_api_server_wants_to_be_left_alone_is_told_without_a_status() {
        for (header, retry_after) in
            [("7", Some(Duration::from_secs(7))), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
        {
            let refusal = Response::builder().status(429).header(RETRY_AFTER, header);
            let refusal = refusal.body(Body::from(b"Too many requests".to_vec())).unwrap();
            let request = Request::get("/api/v1/services").body(()).unwrap();
            let observer = Arc::new(RecordingObserver::default());
            let answer = std::future::ready(Ok(refusal));
            observed(Target::of(&request), &observers(&observer), answer).await.unwrap();
            assert_eq!(
                *observer.0.lock(),
                [Answer::Refused { code: 429, message: String::new(), retry_after }]
            );
        }
    }

    /// As where the limit of the request ends the wait for it.
    #[tokio::test]
    async fn a_refusal_whose_body_breaks_off_is_told_as_a_refusal() {
        let observer = Arc::new(RecordingObserver::default());
        let service = tower::service_fn(|_: Request<Body>| async {
            let broken = [Err::<http_body::Frame<bytes::Bytes>, BoxError>("timed out".into())];
            let body = http_body_util::StreamBody::new(futures::stream::iter(broken));
            Ok::<_, BoxError>(Response::builder().status(403).body(body)?)
        });
        let client = kube::Client::new(service, "default");
        let request = Request::get("/api/v1/services").body(Body::empty()).unwrap();
        observed(Target::of(&request), &observers(&observer), client.send(request)).await.unwrap_err();
        let told = observer.0.lock().clone();
        assert!(matches!(told[..], [Answer::Refused { code: 403, .. }]), "{told:?}");
    }
}
