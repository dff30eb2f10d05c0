//! The binary without an API server: what it prints and how it exits.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn operator(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memcached-operator"))
        .args(args)
        .env_remove("KUBECONFIG")
        .env("POD_NAMESPACE", "operators")
        .env("HOME", "/nonexistent")
        .output()
        .expect("the binary runs")
}

#[test]
fn prints_the_definition() {
    let output = operator(&["crd"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), include_str!("../../../deploy/crd.yaml"));
}

#[test]
fn bad_settings_are_one_sentence_and_exit_code_2() {
    for (args, phrase) in [
        (&["--shards=0"][..], "set a number in that range"),
        (&["run", "--lease-duration=3s"], "raise LeaseDuration or lower RenewDeadline"),
        (&["--log-level=info,,=="], "write it like info or info,kube=debug"),
        (&["--leader-election-id=has_underscore"], "use lower-case letters"),
    ] {
        let output = operator(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(phrase) && text.trim_end().lines().count() == 1, "{args:?}: {text}");
    }
}

#[test]
fn without_an_api_server_it_says_what_to_set() {
    let output = operator(&["--metrics-addr=off", "--health-addr=off", "--log-level=off"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("set KUBECONFIG, or run in a Pod with a service account"), "{text}");
}

#[test]
fn help_names_every_flag_with_its_variable() {
    let output = operator(&["--help"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    for flag in ["--leader-elect", "[env: LEADER_ELECTION_ID=", "--shards", "[env: SHARDS=", "--health-addr"]
    {
        assert!(text.contains(flag), "{flag} is missing in {text}");
    }
}

/// Whoever read the log is gone: a collector that was restarted, a pipe into `head`, or the disk is full. A line that cannot be
/// written must not take down the task that logs it, which may be the one that handles signals.
#[test]
fn a_log_that_nobody_reads_any_more_stops_nothing() {
    const CALLS: u32 = 8;
    const DEADLINE: Duration = Duration::from_secs(30);
    let dir = tempfile::tempdir().expect("a directory");
    let kubeconfig = dir.path().join("kubeconfig");
    // Hangs up on whoever calls.
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = server.local_addr().expect("an address");
    let cluster = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://ADDRESS"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}]}"#;
    std::fs::write(&kubeconfig, cluster.replace("ADDRESS", &address.to_string())).expect("a kubeconfig");
    let mut operator = Command::new(env!("CARGO_BIN_EXE_memcached-operator"))
        .args([
            "--metrics-addr=off",
            "--health-addr=off",
            "--preset=fast",
            "--leader-election-namespace=operators",
        ])
        .env("KUBECONFIG", &kubeconfig)
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let begun = Instant::now();
    let mut log = BufReader::new(operator.stderr.take().expect("piped"));
    log.read_line(&mut String::new()).expect("it logs");
    drop(log);
    // Each of these is a request that fails, and the first failures are logged. An operator that has ended is told apart from
    // one that has not called yet.
    server.set_nonblocking(true).expect("it can be polled");
    let mut calls = 0;
    while calls < CALLS {
        match server.accept() {
            Ok(_) => calls += 1,
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
        assert_eq!(operator.try_wait().expect("asked"), None, "it goes on without a log");
        assert!(begun.elapsed() < DEADLINE, "{calls} calls within {DEADLINE:?}");
    }
    let pid = operator.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    let deadline = Instant::now() + DEADLINE;
    let status = loop {
        if let Some(status) = operator.try_wait().expect("asked") {
            break Some(status);
        }
        if Instant::now() > deadline {
            operator.kill().expect("it runs");
            break None;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(status.and_then(|status| status.code()), Some(0), "the first SIGTERM ends it in good order");
}

#[test]
fn the_shutdown_limit_depends_on_no_namespace() {
    let output = Command::new(env!("CARGO_BIN_EXE_memcached-operator"))
        .args(["shutdown-limit", "--drain-timeout=20s"])
        .env_remove("POD_NAMESPACE")
        .env("HOME", "/nonexistent")
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let limit: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("milliseconds");
    assert!(limit > 20_000, "{limit}");
}
