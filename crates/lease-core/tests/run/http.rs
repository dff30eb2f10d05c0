//! What a replica serves.

use std::net::SocketAddr;

use kube_testkit::eventually;
use lease_core::{LeaderTerm, RunError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::server::{DEADLINE, Server, options};

/// The answer, with its head.
async fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

async fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("a port is free").local_addr().expect("an address")
}

#[tokio::test]
async fn health_and_metrics_are_served_until_the_lease_was_released() {
    let (server, address) = (Server::start().await, free_address().await);
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, mut leads) = mpsc::unbounded_channel();
    let run = lease_core::run(server.config(), options("served"), move |term: LeaderTerm| {
        let _ = tell.send(());
        async move { term.draining().await }
    });
    let run = tokio::spawn(run.serve(address).until(async move { drop(stopped.await) }).into_future());
    // A standby, and be it of a Lease that does not exist yet, is ready.
    let ready = || async { get(address, "/readyz").await.filter(|answer| answer.contains(" 200 ")) };
    let answer = eventually("the replica to be ready", DEADLINE, ready).await;
    assert!(answer.ends_with("ready\n"), "{answer}");
    leads.recv().await.expect("it leads");
    let leads = || async {
        let metrics = get(address, "/metrics").await?;
        metrics.contains("leader_election_master_status{name=\"test.example.com\"} 1").then_some(metrics)
    };
    let metrics = eventually("the metrics to show the leader", DEADLINE, leads).await;
    assert!(metrics.contains("application/openmetrics-text") && metrics.ends_with("# EOF\n"), "{metrics}");
    assert!(
        metrics.contains("leader_election_silent_seconds ") && metrics.contains("leader_election_refused 0")
    );
    assert!(get(address, "/healthz").await.expect("it answers").contains(" 200 "));
    assert!(get(address, "/").await.expect("it answers").contains(" 404 "));

    stop.send(()).expect("it runs");
    run.await.expect("no panic").expect("it started");
    assert_eq!(get(address, "/healthz").await, None, "the server has ended with the election");
    assert_eq!(server.lease().await.holder_identity.as_deref(), Some(""), "it was released");
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_makes_a_replica_not_ready() {
    let address = free_address().await;
    // Nobody listens there.
    let config = crate::server::config(&format!("http://{}", free_address().await));
    let run =
        lease_core::run(config, options("alone"), |term: LeaderTerm| async move { term.draining().await });
    let run = tokio::spawn(run.serve(address).until(std::future::pending()).into_future());
    let silent =
        || async { get(address, "/readyz").await.filter(|answer| answer.contains("has not answered")) };
    let answer = eventually("the replica to say so", DEADLINE, silent).await;
    assert!(answer.contains(" 503 ") && answer.contains("Connection refused"), "{answer}");
    run.abort();
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_begins() {
    let nothing = |_: LeaderTerm| async {};
    let config = || crate::server::config("http://127.0.0.1:1");
    let error = lease_core::run(config(), "No ID", nothing).await.expect_err("it is no DNS name");
    assert!(matches!(error, RunError::Id(_)), "{error}");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = taken.local_addr().expect("an address");
    let error =
        lease_core::run(config(), options("x"), nothing).serve(address).await.expect_err("it is taken");
    assert!(error.to_string().contains(&format!("cannot be served on {address}")), "{error}");
}
