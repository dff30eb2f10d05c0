//! A candidate in a process of its own: this very program, started again in another role. So it can be stopped, made to
//! go on and killed like a replica.
//!
//! Its log has a line per happening: the time on `CLOCK_MONOTONIC` in nanoseconds, which all processes of a machine
//! share, and what happened.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Config};
use kube_testkit::{GuardedChild, GuardedCommand, RealEnv, TestUser, eventually};
use lease_core::{Clock, OnOverrun, SystemClock, Term};
use rustix::process::{Signal, getpid, kill_process};

use crate::support::{DEADLINE, now, options_in, replica_at};

const ROLE: &str = "LEASE_CORE_TEST_CHILD";

/// Where the child stops itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PausePoint {
    /// Nowhere; it is stopped from outside, whatever it is doing then.
    Nowhere,
    /// After the check whether it may act, before the request is sent.
    BetweenCheckAndSending,
}

/// One line of the child's log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Duration,
    pub(crate) what: String,
}

impl Line {
    /// The value of a `key=value` word.
    pub(crate) fn value<T: FromStr>(&self, key: &str) -> Option<T> {
        let words = self.what.split(' ');
        words.filter_map(|word| word.split_once('=')).find(|(name, _)| *name == key)?.1.parse().ok()
    }
}

/// The child and its log.
pub(crate) struct Child {
    pub(crate) process: GuardedChild,
    log: PathBuf,
}

impl Child {
    pub(crate) fn start(env: &RealEnv, name: &str, pause: PausePoint) -> Self {
        let log = env.dir().path().join(format!("{}-{name}.log", env.namespace()));
        let kubeconfig = env.kubeconfig(&TestUser::admin()).expect("a kubeconfig");
        let program = std::env::current_exe().expect("this program has a path");
        let role = [env.namespace(), name, &format!("{pause:?}"), &log.to_string_lossy()].join(" ");
        let process = GuardedCommand::new(program)
            .args(["--exact", "child::the_candidate", "--nocapture"])
            .env(ROLE, role)
            .env("KUBECONFIG", kubeconfig)
            .spawn()
            .expect("this program starts");
        Self { process, log }
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter_map(parse).collect()
    }

    pub(crate) async fn says(&self, what: &str) -> Line {
        eventually(&format!("the child to say {what:?}"), DEADLINE, || {
            std::future::ready(self.lines().into_iter().find(|line| line.what.starts_with(what)))
        })
        .await
    }
}

fn parse(line: &str) -> Option<Line> {
    let (at, what) = line.split_once(' ')?;
    Some(Line { at: Duration::from_nanos(at.parse().ok()?), what: what.to_owned() })
}

/// Not a test by itself: the process that [`Child::start`] starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_candidate() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let [namespace, name, pause, log] = role.split(' ').collect::<Vec<_>>()[..] else {
        panic!("a role: {role}")
    };
    let kubeconfig = Kubeconfig::read().expect("KUBECONFIG names one");
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a kubeconfig");
    let client = kube::Client::try_from(config.clone()).expect("a client");
    let pause_between = pause == format!("{:?}", PausePoint::BetweenCheckAndSending);
    let mut options = options_in(namespace, name);
    if pause_between {
        // To see what becomes of a request that was under way the process has to live on.
        options.on_overrun = OnOverrun::Call(Arc::new(|_| {}));
    }
    let elections = replica_at(config, options).await;
    let worker =
        Worker { log: Log::open(Path::new(log)), pause_between, maps: Api::namespaced(client, namespace) };
    worker.log.say(now(), "started");
    let _candidate = elections.lead(move |term| worker.clone().work(term));
    std::future::pending::<()>().await;
}

#[derive(Clone)]
struct Worker {
    log: Log,
    pause_between: bool,
    maps: Api<ConfigMap>,
}

impl Worker {
    /// Does one unit of work after another, each after a fresh check.
    async fn work(self, term: Term) {
        let token = term.token();
        // Said when this is dropped, too: the driver may be the first to find that the term is over.
        let _ended = Ended(self.log.clone(), format!("ended token={token}"));
        for unit in 0.. {
            let (checked, until) = (SystemClock.now(), term.validity());
            if !until.holds_at(checked) || term.is_draining() {
                break;
            }
            let until = until.end().monotonic.since_origin().as_nanos();
            self.log.say(
                checked.monotonic.since_origin(),
                &format!("begin unit={unit} token={token} until={until}"),
            );
            if self.pause_between && unit == 10 {
                // The pause point: what a scheduler, a debugger or a frozen container may do at any instruction.
                kill_process(getpid(), Signal::STOP).expect("a process may stop itself");
                // In a task of its own: what was handed to the connection cannot be called back by dropping a future.
                tokio::spawn(self.clone().send(format!("late-{token}")));
            }
            SystemClock.sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Worker {
    async fn send(self, name: String) {
        let metadata = ObjectMeta { name: Some(name), ..ObjectMeta::default() };
        let map = ConfigMap { metadata, ..ConfigMap::default() };
        let sent = self.maps.create(&PostParams::default(), &map).await;
        self.log.say(now(), &format!("sent ok={}", sent.is_ok()));
    }
}

struct Ended(Log, String);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.say(now(), &self.1);
    }
}

#[derive(Clone)]
struct Log(Arc<Mutex<File>>);

impl Log {
    fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self(Arc::new(Mutex::new(file.expect("the log can be written"))))
    }

    fn say(&self, at: Duration, what: &str) {
        let line = format!("{} {what}\n", at.as_nanos());
        self.0.lock().expect("no panic").write_all(line.as_bytes()).expect("the log can be written");
    }
}
