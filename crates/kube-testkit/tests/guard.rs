//! Nothing outlives the process that started it, however that process ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kube_testkit::guard::Exit;
use kube_testkit::{GuardedCommand, Signal, WorkDir, eventually};
use rustix::process::{Pid, kill_process};

/// Set in the process that plays the parent: how it ends.
const ROLE: &str = "KUBE_TESTKIT_GUARD_TEST_ROLE";
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_killed_parent_takes_its_program_and_directory_with_it() {
    let (parent, pids, dir) = start_parent("wait");
    signal(&parent, rustix::process::Signal::KILL);
    assert_gone(parent, pids, &dir).await;
}

#[tokio::test]
async fn an_interrupted_parent_takes_its_program_and_directory_with_it() {
    let (parent, pids, dir) = start_parent("wait");
    signal(&parent, rustix::process::Signal::INT);
    assert_gone(parent, pids, &dir).await;
}

#[tokio::test]
async fn a_parent_that_panics_takes_its_program_and_directory_with_it() {
    let (parent, pids, dir) = start_parent("panic");
    assert_gone(parent, pids, &dir).await;
}

#[tokio::test]
async fn a_parent_that_leaks_takes_its_program_and_directory_with_it() {
    let (parent, pids, dir) = start_parent("leak");
    assert_gone(parent, pids, &dir).await;
}

/// Not a test by itself: the process that the tests above start, which is this very program.
#[test]
fn the_parent() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let dir = WorkDir::create().expect("work directory");
    let log = dir.path().join("log");
    // It ignores SIGTERM, writes all the time, and has a program of its own.
    let busy = "trap '' TERM; sleep 600 & echo $! >own; while :; do echo still here; sleep 0.05; done";
    let child =
        GuardedCommand::new("sh").arg("-c").arg(busy).stdout(log).current_dir(dir.path()).within(&dir);
    let child = child.grace(Duration::from_millis(300)).spawn().expect("child");
    let own = || std::fs::read_to_string(dir.path().join("own")).ok().filter(|pid| pid.ends_with('\n'));
    let own = std::iter::repeat_with(own).flatten().next().expect("it is repeated until it is there");
    println!("\nstarted {} {} {}", child.pid(), own.trim(), dir.path().display());
    match role.as_str() {
        "panic" => panic!("as the test wants it"),
        "leak" => std::mem::forget((child, dir)),
        _ => loop {
            std::thread::park();
        },
    }
}

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let child = GuardedCommand::new("sh").args(["-c", "exit 3"]).spawn().expect("spawn");
    assert_eq!(child.wait().await, Exit::Code(3));
    let error = child.signal(Signal::Terminate).expect_err("it has ended");
    assert!(error.to_string().contains("exit code 3"), "{error}");
    let child = GuardedCommand::new("sleep").arg("60").spawn().expect("spawn");
    child.signal(Signal::Terminate).expect("it runs");
    assert_eq!(child.wait().await, Exit::Signal(15));
}

#[tokio::test]
async fn output_and_environment_reach_the_program() {
    let dir = WorkDir::create().expect("work directory");
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    let script = "echo \"$GREETING $1\"; echo trouble >&2";
    let command = GuardedCommand::new("sh").args(["-c", script, "sh", "a b"]).env("GREETING", "hello");
    let child = command.stdout(&out).stderr(&err).within(&dir).spawn().expect("spawn");
    assert_eq!(child.wait().await, Exit::Code(0));
    assert_eq!(std::fs::read_to_string(&out).expect("out"), "hello a b\n");
    assert_eq!(std::fs::read_to_string(&err).expect("err"), "trouble\n");
    let path = dir.path().to_owned();
    drop(dir);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_stopped_program_can_still_be_killed() {
    let mut child = GuardedCommand::new("sleep").arg("60").spawn().expect("spawn");
    child.signal(Signal::Stop).expect("it runs");
    assert_eq!(child.kill(), Exit::Signal(9));
}

/// `kill` returns earlier: of 300 tries, some find a thread that runs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_was_told_to_stop_has_stopped() {
    let child = GuardedCommand::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("spawn");
    let state = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.pid())).expect("it is there");
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    };
    for nth in 0..300 {
        child.signal(Signal::Stop).expect("it runs");
        assert_eq!(state(), Some('T'), "try {nth}");
        child.signal(Signal::Continue).expect("it is there");
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = GuardedCommand::new("/nowhere/etcd").spawn().expect_err("there is none");
    assert!(error.to_string().contains("/nowhere/etcd"), "{error}");
}

fn start_parent(role: &str) -> (Child, [i32; 2], PathBuf) {
    let mut parent = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_parent", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the parent starts");
    let lines = BufReader::new(parent.stdout.take().expect("it is piped")).lines();
    let started = lines.map_while(Result::ok).find_map(|line| {
        let mut words = line.strip_prefix("started ")?.splitn(3, ' ');
        let pids = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
        Some((pids, PathBuf::from(words.next()?)))
    });
    let (pids, dir) = started.expect("the parent says what it has started");
    (parent, pids, dir)
}

fn signal(parent: &Child, signal: rustix::process::Signal) {
    kill_process(Pid::from_child(parent), signal).expect("the parent runs");
}

async fn assert_gone(mut parent: Child, pids: [i32; 2], dir: &Path) {
    parent.wait().expect("the parent ends");
    for pid in pids {
        eventually("the program to end", DEADLINE, || async { ended(pid).then_some(()) }).await;
    }
    eventually("the directory to go", DEADLINE, || async { (!dir.exists()).then_some(()) }).await;
}

fn ended(pid: i32) -> bool {
    Pid::from_raw(pid).is_none_or(|pid| rustix::process::test_kill_process(pid).is_err())
}
