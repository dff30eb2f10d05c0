//! Signals, to a process of its own: this very program, started again in another role.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use kube_testkit::guard::Exit;
use kube_testkit::{GuardedChild, GuardedCommand, Signal, eventually};
use lease_core::LeaderTerm;

use crate::server::{DEADLINE, Server, config, options};

const ROLE: &str = "LEASE_CORE_TEST_RUN";
/// What SIGTERM makes of a program that does not handle it, and what a second signal makes of this one.
const ABORTED: [Exit; 2] = [Exit::Code(143), Exit::Signal(15)];

/// Not a test by itself: the process that the tests start.
#[tokio::test]
async fn the_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (url, stubborn) = role.split_once(' ').expect("a role");
    let stubborn = stubborn == "true";
    let run = lease_core::run(config(url), options("child"), move |term: LeaderTerm| async move {
        write(&term.client(), "leads").await;
        term.draining().await;
        write(&term.client(), "drains").await;
        if stubborn {
            std::future::pending::<()>().await;
        }
    });
    run.await.expect("it starts");
}

async fn write(client: &kube::Client, name: &str) {
    let mut map = ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    maps.create(&PostParams::default(), &map).await.expect("a leader may write, and while it drains, too");
}

async fn leading_child(server: &Server, stubborn: bool) -> GuardedChild {
    let child = GuardedCommand::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "signals::the_process", "--nocapture"])
        .env(ROLE, format!("{} {stubborn}", server.port.url()))
        .spawn()
        .expect("this program starts");
    written(server, "leads").await;
    child
}

async fn written(server: &Server, name: &str) {
    let maps: Api<ConfigMap> = Api::default_namespaced(server.client());
    let there = || async { maps.get_opt(name).await.expect("it answers") };
    eventually(&format!("the child to write {name}"), DEADLINE, there).await;
}

#[tokio::test]
async fn the_first_signal_drains_and_releases() {
    for signal in [Signal::Terminate, Signal::Interrupt] {
        let server = Server::start().await;
        let child = leading_child(&server, false).await;
        child.signal(signal).expect("it runs");
        assert_eq!(child.wait().await, Exit::Code(0));
        written(&server, "drains").await;
        assert_eq!(server.lease().await.holder_identity.as_deref(), Some(""), "it was released");
    }
}

#[tokio::test]
async fn the_second_signal_aborts_and_leaves_the_lease_to_expire() {
    let server = Server::start().await;
    let child = leading_child(&server, true).await;
    child.signal(Signal::Terminate).expect("it runs");
    written(&server, "drains").await;
    assert_eq!(child.try_exit(), None, "it waits for its work");
    child.signal(Signal::Terminate).expect("it runs");
    let ended = || std::future::ready(child.try_exit());
    let exit = eventually("the child to end at once", DEADLINE, ended).await;
    assert!(ABORTED.contains(&exit), "{exit}");
    assert_eq!(server.lease().await.holder_identity.as_deref(), Some("child_1"));
}
