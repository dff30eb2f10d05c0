//! One replica: the name of a Pod, and the process that plays it now.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kube_testkit::guard::Exit;
use kube_testkit::{GuardedChild, GuardedCommand, Signal, tail_of};
use overlap_checker::records::Stamp;

/// What the process was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing: it runs.
    Running,
    /// To stand still (SIGSTOP).
    Frozen,
    /// To end in good order (SIGTERM).
    Terminated,
    /// Nothing any more (SIGKILL).
    Killed,
}

/// A replica. Its process is killed when this is dropped.
pub struct Replica {
    pod: String,
    log: PathBuf,
    command: GuardedCommand,
    child: GuardedChild,
    state: State,
}

impl Replica {
    /// Starts a process of the operator as this Pod, with its output in `log`.
    ///
    /// `command` has the program, its arguments, and where the API server is.
    ///
    /// # Errors
    ///
    /// The program could not be started.
    pub fn start(pod: &str, namespace: &str, log: &Path, command: GuardedCommand) -> Result<Self> {
        let command = command.env("POD_NAME", pod).env("POD_NAMESPACE", namespace).stdout(log).stderr(log);
        let child = spawn(&command, pod)?;
        Ok(Self { pod: pod.to_owned(), log: log.to_owned(), command, child, state: State::Running })
    }

    /// Starts another process, as a kubelet would once the one before has ended.
    ///
    /// # Errors
    ///
    /// The program could not be started.
    pub fn restart(&mut self) -> Result<()> {
        self.child = spawn(&self.command, &self.pod)?;
        self.state = State::Running;
        Ok(())
    }

    /// The Pod's name.
    pub fn pod(&self) -> &str {
        &self.pod
    }

    /// Its process, to read from `/proc` what it takes.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// What its process was last told.
    pub fn state(&self) -> State {
        self.state
    }

    /// Kills the process.
    ///
    /// # Errors
    ///
    /// It has ended already.
    pub fn kill(&mut self) -> Result<Stamp> {
        self.signal(Signal::Kill, State::Killed)
    }

    /// Asks the process to end.
    ///
    /// # Errors
    ///
    /// It has ended already.
    pub fn terminate(&mut self) -> Result<Stamp> {
        self.signal(Signal::Terminate, State::Terminated)
    }

    /// Stops the process where it is.
    ///
    /// # Errors
    ///
    /// It has ended already.
    pub fn freeze(&mut self) -> Result<Stamp> {
        self.signal(Signal::Stop, State::Frozen)
    }

    /// Lets a stopped process go on.
    ///
    /// # Errors
    ///
    /// It has ended already.
    pub fn thaw(&mut self) -> Result<Stamp> {
        self.signal(Signal::Continue, State::Running)
    }

    /// How the process ended, once it has.
    pub async fn exit(&self) -> Exit {
        self.child.wait().await
    }

    /// How the process ended, if it has.
    pub fn try_exit(&self) -> Option<Exit> {
        self.child.try_exit()
    }

    /// The file that has what its processes wrote.
    pub fn log_file(&self) -> &Path {
        &self.log
    }

    /// What its processes wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of it.
    pub fn end_of_log(&self) -> String {
        tail_of(&self.log)
    }

    /// The instant just before the signal.
    fn signal(&mut self, signal: Signal, state: State) -> Result<Stamp> {
        let at = Stamp::now().context("the boot clock could not be read")?;
        self.child.signal(signal).with_context(|| format!("{} has ended already", self.pod))?;
        self.state = state;
        Ok(at)
    }
}

/// The name of a replica's Pod, which is also its user's name.
pub fn pod_name(number: u32) -> String {
    format!("memcached-operator-{number}")
}

fn spawn(command: &GuardedCommand, pod: &str) -> Result<GuardedChild> {
    command.spawn().with_context(|| format!("the operator could not be started as {pod}"))
}
