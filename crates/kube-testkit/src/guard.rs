//! Child processes and directories that never outlive the process that made them.
//!
//! A destructor does not run when a process is killed, and `PR_SET_PDEATHSIG` needs unsafe code. So each program runs
//! under a guardian, a dozen lines of `sh` in a process group of its own (Ctrl-C in a terminal does not reach it),
//! which holds the reading end of a pipe: when the last writer, this process, is gone, the guardian ends the program.

mod child;
mod command;
#[cfg(feature = "testcontainers")]
pub(crate) mod exit_command;
mod work_dir;

pub use child::{Exit, GuardedChild, SignalError};
pub use command::GuardedCommand;
pub use work_dir::WorkDir;

/// The signals that tests and drivers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGSTOP: the process stops where it stands and can do nothing about it.
    Stop,
    /// SIGCONT: a stopped process goes on.
    Continue,
    /// SIGINT, as Ctrl-C sends it.
    Interrupt,
    /// SIGTERM: a request to end.
    Terminate,
    /// SIGKILL: the end, without warning.
    Kill,
}

impl Signal {
    fn to_rustix(self) -> rustix::process::Signal {
        use rustix::process::Signal as Unix;
        match self {
            Self::Stop => Unix::STOP,
            Self::Continue => Unix::CONT,
            Self::Interrupt => Unix::INT,
            Self::Terminate => Unix::TERM,
            Self::Kill => Unix::KILL,
        }
    }
}
