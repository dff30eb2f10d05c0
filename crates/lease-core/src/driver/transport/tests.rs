//! That connections are checked, and that a dead one ends.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]
#![expect(clippy::disallowed_methods, reason = "the kernel takes real time")]

use std::process::Command;

use http::Uri;
use http_body_util::BodyExt;
use kube::Client;
use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::*;

/// Set in the process that has a network of its own, see [`in_a_network_of_its_own`].
const OWN_NETWORK: &str = "LEASE_CORE_TEST_OWN_NETWORK";
/// The shortest that the kernel knows.
const QUICK: Checks = Checks {
    silence: Duration::from_secs(1),
    probe_interval: Duration::from_secs(1),
    probes: 2,
    unacknowledged: Duration::from_secs(2),
};
/// Within it whatever should happen has happened. Unchecked connections last longer: a silent one for ever, one with data under way for
/// a quarter of an hour.
const HUNG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn connections_are_checked() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let connection = checked(CHECKS).oneshot(address).await.unwrap();
    let socket = connection.inner();
    assert!(sockopt::socket_keepalive(socket).unwrap());
    assert_eq!(sockopt::tcp_keepidle(socket).unwrap(), CHECKS.silence);
    assert_eq!(sockopt::tcp_keepintvl(socket).unwrap(), CHECKS.probe_interval);
    assert_eq!(sockopt::tcp_keepcnt(socket).unwrap(), CHECKS.probes);
    assert_eq!(u128::from(sockopt::tcp_user_timeout(socket).unwrap()), CHECKS.unacknowledged.as_millis());
}

#[tokio::test]
async fn what_kept_a_request_from_being_answered_is_told() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = transport(kube::Config::new(format!("http://{gone}").parse().unwrap())).unwrap().build();
    let error = send(&client, "/get").await.expect_err("nobody listens").to_string();
    assert!(error.contains("Connect") && error.contains("Connection refused"), "{error}");
    assert_eq!(error.matches("refused").count(), 1, "said once: {error}");
}

/// Nothing is sent on it, so only keep-alive can tell.
#[tokio::test]
async fn a_silent_watch_on_a_dead_connection_ends() {
    if !in_a_network_of_its_own("a_silent_watch_on_a_dead_connection_ends") {
        return;
    }
    let mut watch = send(&client().await, "/watch").await.expect("it begins");
    watch.frame().await.expect("an event").expect("an event");
    lose_all_packets();
    let end = tokio::time::timeout(HUNG, watch.frame()).await;
    let end = end.expect("the kernel closes the connection of a watch whose other end is gone");
    assert!(
        end.is_some_and(|frame| frame.is_err()),
        "an end without an error looks like an end in good order"
    );
}

/// Keep-alive waits while data is under way, so only the limit on unacknowledged data can tell.
#[tokio::test]
async fn a_request_on_a_dead_connection_fails() {
    if !in_a_network_of_its_own("a_request_on_a_dead_connection_fails") {
        return;
    }
    let client = client().await;
    send(&client, "/get").await.expect("answered").collect().await.expect("complete");
    lose_all_packets();
    let answer = tokio::time::timeout(HUNG, send(&client, "/get")).await;
    answer
        .expect("the kernel closes a connection on which nothing is acknowledged")
        .expect_err("nobody answers");
}

async fn send(client: &Client, path: &str) -> kube::Result<Body> {
    let request = Request::get(path).body(Body::empty()).unwrap();
    client.send(request).await.map(Response::into_body)
}

/// Of a server of this process, on connections that are checked as often as the kernel can.
async fn client() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    Tls::default().transport_with(&kube::Config::new(url), QUICK).unwrap().build()
}

/// Answers each request at once; a watch with one event, and no more.
async fn serve(mut connection: TcpStream) {
    let mut request = vec![0; 4096];
    while let Ok(read @ 1..) = connection.read(&mut request).await {
        let answer: &[u8] = if request[..read].starts_with(b"GET /watch") {
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{}\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
        };
        connection.write_all(answer).await.unwrap();
    }
}

/// The other end is gone, as when its machine is: no packet arrives any more, and nobody says so.
fn lose_all_packets() {
    assert!(runs(Command::new("iptables").args(["-A", "INPUT", "-j", "DROP"])), "iptables has worked before");
}

/// Whether this process has a network of its own, whose packets it may lose. If not, the test is run in one that has; or, where
/// none can be made, it is skipped with a sentence.
fn in_a_network_of_its_own(test: &str) -> bool {
    if std::env::var_os(OWN_NETWORK).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "--map-root-user"]);
        command
    };
    if !runs(unshare().args(["iptables", "-L", "INPUT"])) {
        kube_testkit::skip(
            "it needs unshare (util-linux), ip, iptables and the right to make a network namespace",
        );
        return false;
    }
    let inner = format!("{}::{test}", module_path!().split_once("::").unwrap().1);
    let begin = "ip link set lo up && exec \"$@\"";
    let program = std::env::current_exe().unwrap();
    let mut command = unshare();
    command.args(["sh", "-c", begin, "sh"]).arg(program).args(["--exact", &inner, "--nocapture"]);
    let output = command.env(OWN_NETWORK, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    false
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
