//! What is asked for, and what is made of the answers.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use kube::client::Body;
use lease_core::LeaderElectionId;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;
use crate::testing::{Gadget, Tenant};

type Asked = Arc<Mutex<Vec<String>>>;

/// A reader whose requests are answered by this, and what it has asked for.
fn reader(answer: impl Fn(&str) -> Option<(u16, Value)> + Send + 'static) -> (StatusReader, Asked) {
    let asked = Asked::default();
    let noted = asked.clone();
    let service = service_fn(move |request: Request<Body>| {
        let asked = request.uri().path_and_query().expect("a path").to_string();
        assert_eq!(request.method(), "GET", "it only reads");
        let partial = request
            .headers()
            .get("accept")
            .is_some_and(|media| media.to_str().unwrap().contains("PartialObjectMetadataList"));
        assert_eq!(partial, !asked.contains("/leases"), "of resources, only the metadata: {asked}");
        noted.lock().push(asked.clone());
        let answer = answer(&asked);
        async move {
            let Some((code, body)) = answer else { return std::future::pending().await };
            let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
            let response = response.header("date", "Fri, 01 May 2026 12:00:00 GMT");
            Ok::<_, std::io::Error>(response.body(Body::from(body.to_string().into_bytes())).unwrap())
        }
    });
    let names = Names::new(LeaderElectionId::new("web.example.com").unwrap(), "example.com");
    (StatusReader::new(Client::new(service, "default"), names, "ops"), asked)
}

fn leases(watched: &str) -> Value {
    let member = json!({
        "metadata": {"name": "web.example.com-member-0a", "annotations": {"example.com/watched-namespaces": watched}},
        "spec": {"holderIdentity": "a_1", "leaseDurationSeconds": 15, "renewTime": "2026-05-01T11:59:50.000000Z"},
    });
    let coordinator = json!({"metadata": {"name": "web.example.com", "annotations": {
        "example.com/layout": r#"{"generation":1,"shards":1,"hashVersion":1,"settled":true}"#, "example.com/coordinator": "a_1",
    }}, "spec": {"holderIdentity": "a_1"}});
    json!({"metadata": {}, "items": [coordinator, member]})
}

fn objects(next: &str, labels: &[&str]) -> Value {
    let items = labels
        .iter()
        .map(|bucket| json!({"metadata": {"name": "x", "labels": {"example.com/bucket": bucket}}}));
    json!({"metadata": {"continue": next}, "items": items.collect::<Vec<_>>()})
}

fn refused(code: u16, message: &str) -> (u16, Value) {
    (code, json!({"kind": "Status", "status": "Failure", "message": message, "reason": "", "code": code}))
}

#[tokio::test]
async fn one_list_of_leases_and_pages_of_each_kind_in_each_namespace() {
    let (reader, asked) = reader(|asked| {
        Some((
            200,
            match asked {
                leases if leases.contains("/leases?") => self::leases("team-a,team-b"),
                page if page.contains("continue=second") => objects("", &["1", "2"]),
                gadgets if gadgets.contains("team-a/gadgets") => objects("second", &["0"]),
                _ => objects("", &["3"]),
            },
        ))
    });
    let mut reader = reader.kind::<Gadget>().kind::<Tenant>().recount_after(Duration::from_mins(1));
    let status = reader.read().await.unwrap();
    assert_eq!(status.observed_at, "2026-05-01T12:00:00Z".parse().unwrap(), "by the clock of the API server");
    let totals: Vec<_> = status.kinds.iter().map(|kind| (kind.kind.as_str(), kind.total)).collect();
    assert_eq!(totals, [("Gadget.example.com", Some(4)), ("Tenant.example.com", Some(1))]);
    let expected = [
        "/apis/coordination.k8s.io/v1/namespaces/ops/leases?&limit=500",
        "/apis/example.com/v1/namespaces/team-a/gadgets?&limit=500",
        "/apis/example.com/v1/namespaces/team-a/gadgets?&limit=500&continue=second",
        "/apis/example.com/v1/namespaces/team-b/gadgets?&limit=500",
        "/apis/example.com/v1/tenants?&limit=500",
    ];
    assert_eq!(*asked.lock(), expected);
    // Counts that are recent enough are used again.
    asked.lock().clear();
    assert_eq!(reader.read().await.unwrap(), status);
    assert_eq!(*asked.lock(), expected[..1]);
}

#[tokio::test]
async fn all_namespaces_are_counted_in_if_a_replica_watches_all_or_too_many_to_name() {
    for watched in ["*", "200 (hash 53d5ab424a91f627)"] {
        let answer = move |asked: &str| {
            Some((200, if asked.contains("/leases?") { leases(watched) } else { objects("", &[]) }))
        };
        let (reader, asked) = reader(answer);
        reader.kind::<Gadget>().read().await.unwrap();
        assert_eq!(asked.lock()[1..], ["/apis/example.com/v1/gadgets?&limit=500"], "{watched}");
        let (reader, asked) = self::reader(answer);
        reader.kind::<Gadget>().in_namespaces(["mine"]).read().await.unwrap();
        assert_eq!(
            asked.lock()[1..],
            ["/apis/example.com/v1/namespaces/mine/gadgets?&limit=500"],
            "{watched}"
        );
    }
}

#[tokio::test]
async fn a_list_that_expires_is_begun_again_once() {
    let (reader, asked) = reader(|asked| {
        Some(match asked {
            leases if leases.contains("/leases?") => (200, self::leases("*")),
            page if page.contains("continue=") => refused(410, "too old"),
            _ => (200, objects("second", &["0"])),
        })
    });
    let status = reader.kind::<Gadget>().read().await.unwrap();
    assert_eq!(asked.lock().len(), 1 + 2 * 2);
    assert_eq!(status.kinds[0].total, None, "half of them is no number");
    assert!(
        status.problems[0].starts_with("gadgets.example.com could not be counted"),
        "{:?}",
        status.problems
    );
}

#[tokio::test]
async fn refusals_are_told_in_sentences() {
    let leases_refused = |answer: fn(&str) -> Option<(u16, Value)>| async move {
        reader(answer).0.read().await.unwrap_err().to_string()
    };
    let forbidden = leases_refused(|_| {
        Some(refused(403, "leases is forbidden: User \"jane\" cannot list resource \"leases\" in API group"))
    });
    let forbidden = forbidden.await;
    assert!(
        forbidden.starts_with(
            "jane may not list leases.coordination.k8s.io in namespace ops; grant it with a Role"
        ),
        "{forbidden}"
    );
    assert!(!forbidden.contains("retried"), "{forbidden}");
    let unauthorized = leases_refused(|_| Some(refused(401, "Unauthorized"))).await;
    assert!(
        unauthorized.contains("does not accept the credentials (Unauthorized (401)); log in again"),
        "{unauthorized}"
    );
    let failed = leases_refused(|_| Some((500, json!("no object")))).await;
    assert!(
        failed.contains("leases.coordination.k8s.io could not be listed: \"no object\" (500)"),
        "{failed}"
    );
    let none = leases_refused(|_| Some((200, json!({"metadata": {}, "items": []})))).await;
    assert!(
        none.starts_with("no Lease in namespace ops belongs to the LeaderElectionID web.example.com;"),
        "{none}"
    );

    let (reader, _) = reader(|asked| {
        let message = "gadgets is forbidden: User \"jane\" cannot list resource \"gadgets\"";
        Some(if asked.contains("/leases?") { (200, leases("*")) } else { refused(403, message) })
    });
    let status = reader.kind::<Gadget>().read().await.unwrap();
    let problem = &status.problems[0];
    assert!(problem.starts_with("jane may not list gadgets.example.com in all namespaces"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn each_request_has_a_time_limit() {
    let (reader, _) = reader(|_| None);
    let mut reader = reader.time_limit(Duration::from_secs(3));
    let read =
        tokio::time::timeout(Duration::from_secs(4), reader.read()).await.expect("it gives up by itself");
    let sentence = read.unwrap_err().to_string();
    assert!(
        sentence.starts_with("the API server did not answer within 3 s; check its address"),
        "{sentence}"
    );
}
