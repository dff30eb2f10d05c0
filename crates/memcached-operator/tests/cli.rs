//! The binary without an API server: what it prints and how it exits.

use std::process::{Command, Output};

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
