use super::*;
use clap::{Args, CommandFactory};

fn parsed(args: &[&str]) -> Result<Task, Stop> {
    parse(std::iter::once("memcached-operator").chain(args.iter().copied()).map(OsString::from))
}

fn run_args(args: &[&str]) -> RunArgs {
    match parsed(args) {
        Ok(Task::Run(args)) => *args,
        other => panic!("{args:?} gave {other:?}"),
    }
}

/// Why these flags are refused, by the parser or by the checks after it.
fn refusal(args: &[&str]) -> String {
    let mut all = vec!["--leader-election-namespace=operators"];
    all.extend(args);
    let stop = match parsed(&all) {
        Err(stop) => stop,
        Ok(Task::Run(args)) => Settings::new(&args).map(|_| ()).expect_err("refused").into(),
        Ok(_) => panic!("{args:?} only prints something"),
    };
    assert_eq!(stop.exit_code, 2, "{}", stop.text);
    assert_eq!(stop.text.trim_end().lines().count(), 1, "{:?} is one line", stop.text);
    stop.text
}

#[test]
fn the_command_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn run_is_the_default() {
    assert_eq!(run_args(&["--shards=4"]).shards.to_string(), "4");
    assert_eq!(run_args(&["run", "--shards=4"]).shards.to_string(), "4");
    assert!(matches!(parsed(&["crd"]), Ok(Task::Crd)));
    assert!(matches!(parsed(&["ownership-crd"]), Ok(Task::OwnershipCrd)));
    assert!(matches!(parsed(&["fencing-policies"]), Ok(Task::FencingPolicies)));
    assert!(matches!(parsed(&["shutdown-limit", "--preset=fast"]), Ok(Task::ShutdownLimit(_))));
}

#[test]
fn status_is_a_command_and_a_plugin_of_kubectl() {
    let status = |args: &[&str]| match parse(args.iter().map(OsString::from)) {
        Ok(Task::Status(args)) => args,
        other => panic!("{args:?} gave {other:?}"),
    };
    let args =
        status(&["/usr/bin/memcached-operator", "status", "-n", "ops", "-o", "json", "--resources=false"]);
    assert_eq!((args.namespace.as_deref(), args.output, args.resources), (Some("ops"), Output::Json, false));
    let args = status(&["/home/jane/bin/kubectl-shards", "-w", "--context=prod", "-o=wide"]);
    assert_eq!((args.watch, args.context.as_deref(), args.output), (true, Some("prod"), Output::Wide));
    assert_eq!(args.leader_election_id, "memcached.cache.example.com");
    let stop = parse(["kubectl-shards", "run"].map(OsString::from)).expect_err("it runs no replica");
    assert!(stop.text.ends_with("; see kubectl shards --help\n"), "{}", stop.text);
    assert_eq!(stop.exit_code, 2);
    Plugin::command().debug_assert();
}

#[test]
fn a_config_map_has_a_name() {
    for wrong in ["Shards", "a/b", "-a", "a-", "a..b", &"a".repeat(254)] {
        let refusal = refusal(&[&format!("--shards-config-map={wrong}")]);
        assert!(refusal.contains("--shards-config-map is") && refusal.contains("at most 253"), "{refusal}");
    }
}

#[test]
fn every_flag_is_an_environment_variable() {
    for arg in RunArgs::augment_args(clap::Command::new("run")).get_arguments() {
        let flag = arg.get_long().expect("a long flag");
        let expected =
            if flag == "log-level" { "RUST_LOG".into() } else { flag.replace('-', "_").to_uppercase() };
        assert_eq!(arg.get_env().and_then(|env| env.to_str()), Some(expected.as_str()), "--{flag}");
        assert!(arg.get_help().is_some(), "--{flag} is explained");
    }
}

#[test]
fn switches_may_be_bare() {
    assert!(run_args(&[]).leader_elect);
    assert!(run_args(&["--leader-elect"]).leader_elect);
    assert!(!run_args(&["--leader-elect=false"]).leader_elect);
    assert!(!run_args(&["--release-on-cancel=false"]).release_on_cancel);
}

#[test]
fn single_durations_override_the_preset() {
    let args = run_args(&["--leader-election-namespace=o", "--preset=fast", "--lease-duration=9s"]);
    let timings = Settings::new(&args).map_err(|e| e.to_string()).expect("sound").options.elections.timings;
    assert_eq!(timings.lease_duration().as_secs(), 9);
    assert_eq!(timings.renew_deadline().as_secs(), 3);
}

#[test]
fn settings_arrive_where_they_belong() {
    let args = run_args(&[
        "--leader-election-namespace=operators",
        "--installation=team-a/cache",
        "--shards=16",
        "--shard-key-label=example.com/tenant",
        "--watch-namespaces=",
        "--resync-interval=0",
        "--concurrency=3",
        "--state-dir=/state",
    ]);
    let options = Settings::new(&args).map_err(|e| e.to_string()).expect("sound").options;
    assert_eq!(options.elections.namespace, "operators");
    assert_eq!(options.elections.domain, "cache.example.com");
    assert_eq!(options.elections.installation.expect("given").as_str(), "team-a/cache");
    assert_eq!(options.key_label.as_deref(), Some("example.com/tenant"));
    assert_eq!((options.watch_namespaces.len(), options.resync), (0, None));
    assert_eq!(options.concurrency_per_shard, 3);
    assert_eq!(options.elections.state_dir.as_deref(), Some(std::path::Path::new("/state")));
    assert!(options.product.starts_with("memcached-operator/"));
}

#[test]
fn namespaces_may_be_several() {
    let args = run_args(&["--leader-election-namespace=o", "--watch-namespaces=team-b, team-a,,team-b"]);
    let options = Settings::new(&args).map_err(|e| e.to_string()).expect("sound").options;
    assert_eq!(Vec::from_iter(options.watch_namespaces), ["team-a", "team-b"]);
}

#[test]
fn bad_values_are_answered_with_one_sentence() {
    for (args, phrase) in [
        (&["--shards=0"][..], "between 1 and 256; set a number in that range"),
        (&["--shards=many"], "'many' for '--shards <N>'"),
        (&["--lease-duration=15"], "the unit is missing; write it with units, such as 15s"),
        (&["--lease-duration=5s"], "RenewDeadline (10s) has to be shorter than LeaseDuration (5s)"),
        (&["--retry-period=9s"], "raise RenewDeadline or lower RetryPeriod"),
        (&["--leader-election-id=Memcached"], "use lower-case letters"),
        (&["--leader-election-id="], "set one such as"),
        (&["--leader-election-resource-lock=lease"], "is not a resource lock; use \"leases\""),
        (
            &["--leader-election-resource-lock=configmaps"],
            "\"configmaps\" cannot be used for shards: holders, acknowledged layouts",
        ),
        (&["--leader-election-resource-lock=endpoints"], "with one watch; a replica with another lock"),
        (&["--leader-election-resource-lock=configmapsleases"], "there is no lock on two objects at once"),
        (&["--installation=team a"], "without blanks, such as its namespace/release"),
        (&["--preset=swift"], "possible values: standard, fast, lazy"),
        (&["--metrics-addr=here"], "write it as 0.0.0.0:8080"),
        (&["--shard-key-label=a/b/c"], "no label key; write it like tenant"),
        (&["--watch-namespaces=team-a,Team_A"], "no namespace; use lower case letters"),
        (&["--retry-max-backoff=1ms"], "set it to that or more"),
        (&["--reconcile-records=/nonexistent/x"], "use off, stdout, stderr or a path"),
        (&["--fencing=maybe"], "possible values: off, on, required"),
        (
            &["--fencing=on"],
            "--fencing cannot be used: with fencing, a replica has to know its Pod; set POD_NAME and POD_UID",
        ),
        (
            &["--fencing=required", "--leader-elect=false"],
            "--fencing cannot be used: fencing needs leader election",
        ),
        (&["--shrads=4"], "unexpected argument '--shrads'"),
    ] {
        let text = refusal(args);
        assert!(text.contains(phrase), "{args:?}: {phrase:?} is missing in {text}");
    }
}
