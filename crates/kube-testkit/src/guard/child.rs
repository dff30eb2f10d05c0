//! A running program and its guardian.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, kill_process};
use tokio::sync::watch;

use super::Signal;

/// A running program that ends with this process at the latest, and is killed when this is dropped.
///
/// Made by [`GuardedCommand::spawn`](super::GuardedCommand::spawn). It belongs to no async runtime: it may be created
/// in one, waited for in another and dropped outside of any.
#[derive(Debug)]
#[must_use = "the process is killed when its handle is dropped; keep it for as long as the process is to run"]
pub struct GuardedChild {
    pid: Pid,
    /// Closing this makes the guardian end the program.
    lifeline: Option<ChildStdin>,
    state: watch::Receiver<State>,
    /// Reads what the guardian reports; ends, having reaped the guardian, once the program has ended.
    reader: Option<JoinHandle<()>>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It exited by itself with this code.
    Code(i32),
    /// A signal of this number ended it (or it exited with 128 plus this number: `sh` does not tell them apart).
    Signal(i32),
    /// Its guardian was killed, so nobody saw it end.
    Unseen,
}

/// A signal could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The program has ended already; its process id may belong to another by now, so nothing was sent.
    #[error("signal {signal:?} was not sent to process {pid}, which has ended ({exit})")]
    Ended {
        /// What was to be sent.
        signal: Signal,
        /// To whom.
        pid: u32,
        /// How it had ended.
        exit: Exit,
    },
    /// The system refused.
    #[error("signal {signal:?} could not be sent to process {pid}: {source}")]
    Refused {
        /// What was to be sent.
        signal: Signal,
        /// To whom.
        pid: u32,
        /// The system's answer.
        source: io::Error,
    },
    /// SIGSTOP was sent, and some thread of the program still ran after a while.
    #[error("process {pid} was sent SIGSTOP and has not stopped within {} s", STOPS_WITHIN.as_secs())]
    NotStopped {
        /// Whom.
        pid: u32,
    },
}

/// The time in which a program stops, even on a machine with much to do.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Ended(Exit),
}

impl GuardedChild {
    /// Takes over a guardian that was just started, and waits until it has started its program.
    pub(super) fn adopt(mut guardian: Child) -> io::Result<Self> {
        let lifeline = guardian.stdin.take();
        let stdout = guardian.stdout.take().ok_or_else(|| io::Error::other("the guardian has no output"))?;
        let mut lines = BufReader::new(stdout);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let Some(pid) = number_after("pid ", &first).and_then(Pid::from_raw) else {
            drop(lifeline);
            let status = guardian.wait()?;
            return Err(io::Error::other(format!(
                "the guardian ended ({status}) before it started the program"
            )));
        };
        let (report, state) = watch::channel(State::Running);
        let reader = std::thread::Builder::new()
            .name(format!("guard-{pid}"))
            .spawn(move || follow(guardian, lines, &report))?;
        Ok(Self { pid, lifeline, state, reader: Some(reader) })
    }

    /// The program's process id (not the guardian's).
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a signal to the program. After [`Signal::Stop`], blocks until all of its threads have stopped, usually less than a millisecond: `kill` returns
    /// before that, and a thread that still runs may answer a request or write a file. (Only on Linux, where `/proc` shows it.)
    ///
    /// # Errors
    ///
    /// [`SignalError::Ended`] if the program is known to have ended.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        let pid = self.pid();
        if let Some(exit) = self.try_exit() {
            return Err(SignalError::Ended { signal, pid, exit });
        }
        kill_process(self.pid, signal.to_rustix()).map_err(|errno| SignalError::Refused {
            signal,
            pid,
            source: errno.into(),
        })?;
        if signal == Signal::Stop { self.wait_until_stopped() } else { Ok(()) }
    }

    fn wait_until_stopped(&self) -> Result<(), SignalError> {
        let (pid, since) = (self.pid(), Instant::now());
        while any_thread_runs(pid) {
            if since.elapsed() > STOPS_WITHIN {
                return Err(SignalError::NotStopped { pid });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// How the program ended, or nothing while it runs.
    pub fn try_exit(&self) -> Option<Exit> {
        match *self.state.borrow() {
            State::Running => None,
            State::Ended(exit) => Some(exit),
        }
    }

    /// Waits until the program has ended. Dropping the future loses nothing.
    pub async fn wait(&self) -> Exit {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| *state != State::Running).await.map(|state| *state);
        match ended {
            Ok(State::Ended(exit)) => exit,
            Ok(State::Running) | Err(_) => Exit::Unseen,
        }
    }

    /// Kills the program and what it has started, and blocks until it is gone, a few milliseconds.
    pub fn kill(&mut self) -> Exit {
        if let Err(SignalError::Refused { .. }) = self.signal(Signal::Kill) {
            self.lifeline.take();
        }
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        self.lifeline.take();
        self.try_exit().unwrap_or(Exit::Unseen)
    }
}

impl Drop for GuardedChild {
    fn drop(&mut self) {
        self.kill();
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Unseen => write!(f, "unseen, as its guardian was killed"),
        }
    }
}

/// Runs in a thread of its own: publishes the exit status, then reaps the guardian.
fn follow(mut guardian: Child, lines: BufReader<ChildStdout>, report: &watch::Sender<State>) {
    let mut exit = Exit::Unseen;
    for line in lines.lines().map_while(Result::ok) {
        if let Some(status) = number_after("exit ", &line) {
            exit = if status > 128 { Exit::Signal(status - 128) } else { Exit::Code(status) };
            break;
        }
    }
    report.send_replace(State::Ended(exit));
    let _ = guardian.wait();
}

/// Whether a thread of this process neither has stopped nor ended. `false` where there is no `/proc`, or no such process.
fn any_thread_runs(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        // `pid (name) state …`; the name may contain anything. A thread that is gone has no such file.
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_some_and(|state| !matches!(state, 'T' | 't' | 'Z' | 'X'))
    })
}

fn number_after(prefix: &str, line: &str) -> Option<i32> {
    line.strip_prefix(prefix)?.trim().parse().ok()
}
