//! Two candidates on one runtime with one thread.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use kube::{Api, Client};
use kube_testkit::eventually;
use lease_core::{Leader, LeaderTerm};
use tokio::sync::{mpsc, oneshot};

use crate::server::{DEADLINE, Server, options};

/// A replica whose work tells its client and waits to be drained.
fn replica(
    server: &Server,
    name: &str,
    tell: &mpsc::UnboundedSender<Client>,
) -> (Leader, oneshot::Sender<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let tell = tell.clone();
    let run = lease_core::run(server.config(), options(name), move |term: LeaderTerm| {
        let tell = tell.clone();
        async move {
            assert!(term.is_valid());
            tell.send(term.client()).expect("the test listens");
            term.draining().await;
        }
    });
    let run = run.until(async move { drop(stopped.await) });
    let leader = run.leader();
    tokio::spawn(async move { run.await.expect("it starts") });
    (leader, stop)
}

async fn create(client: &Client, name: &str) -> kube::Result<ConfigMap> {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    Api::default_namespaced(client.clone()).create(&PostParams::default(), &map).await
}

#[tokio::test]
async fn one_leads_the_other_knows_whom_and_takes_over_when_it_ends() {
    let server = Server::start().await;
    let (tell, mut leads) = mpsc::unbounded_channel();
    let (first, stop_first) = replica(&server, "first", &tell);
    assert!(first.ready().expect_err("it has not begun").contains("does not run"));
    let client_of_first = leads.recv().await.expect("the first leads");
    create(&client_of_first, "by-first").await.expect("the leader may write");
    assert!(first.is_me());
    first.ready().expect("it does its part");

    let (second, stop_second) = replica(&server, "second", &tell);
    let sees_first = || async { second.identity().filter(|seen| Some(seen) == first.identity().as_ref()) };
    eventually("the standby to see the leader", DEADLINE, sees_first).await;
    assert!(!second.is_me());
    second.ready().expect("a standby does its part");

    stop_first.send(()).expect("it runs");
    let client_of_second = leads.recv().await.expect("the second takes over");
    create(&client_of_second, "by-second").await.expect("the leader may write");
    assert!(second.is_me() && !first.is_me());
    let refused = create(&client_of_first, "too-late").await.expect_err("its term is over").to_string();
    assert!(refused.contains("was not sent"), "{refused}");

    stop_second.send(()).expect("it runs");
    let ended = || async { second.ready().err() };
    eventually("the end of the second", DEADLINE, ended).await;
    assert_eq!(server.lease().await.holder_identity.as_deref(), Some(""), "it was released");
}
