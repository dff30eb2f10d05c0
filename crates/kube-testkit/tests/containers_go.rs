//! Containers outlive a killed parent by no more than a moment.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use kube_testkit::{BackendChoice, ClusterOptions, eventually};

/// Set in the process that plays the parent.
const ROLE: &str = "KUBE_TESTKIT_CONTAINERS_TEST_ROLE";
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_killed_parent_takes_its_containers_with_it() {
    if Command::new("docker").arg("version").output().is_err() {
        // Not a skip that may be forbidden: without that command the promise is another, see the backend's docs.
        println!("skipped: there is no docker command, so the containers stay until the next start");
        return;
    }
    let mut parent = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_parent", "--nocapture"])
        .env(ROLE, "yes")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the parent starts");
    let mut lines = BufReader::new(parent.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let said =
        lines.find(|line| line == "started" || line == "skipped").expect("the parent says how it went");
    if said == "started" {
        assert_eq!(containers(parent.id()).len(), 2);
    }
    parent.kill().expect("the parent runs");
    parent.wait().expect("the parent ends");
    eventually("the containers to go", DEADLINE, || async {
        containers(parent.id()).is_empty().then_some(())
    })
    .await;
}

/// Not a test by itself: the process that the test above starts, which is this very program.
#[tokio::test]
async fn the_parent() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let options =
        ClusterOptions { backend: Some(BackendChoice::Testcontainers), ..ClusterOptions::default() };
    let cluster = kube_testkit::exclusive("its parent is killed", options).await;
    println!("\n{}", if cluster.is_some() { "started" } else { "skipped" });
    std::future::pending::<()>().await;
}

fn containers(owner: u32) -> Vec<String> {
    let filter = format!("label=kube-testkit.owner={owner}");
    let output = Command::new("docker").args(["ps", "--all", "--quiet", "--filter", &filter]).output();
    let text = String::from_utf8(output.expect("docker runs").stdout).expect("text");
    text.lines().map(String::from).collect()
}
