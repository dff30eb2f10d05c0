//! What to do if work cannot be stopped in time.

use std::fmt;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What to do if work that has lost its Lease cannot be stopped before LeaseDuration is over. From then on, two replicas
/// could act at the same time.
#[derive(Clone)]
pub enum OnOverrun {
    /// End the process with exit code 70, after a message.
    ExitProcess,
    /// Call this instead. For tests.
    Call(Arc<dyn Fn(&str) + Send + Sync>),
}

impl OnOverrun {
    pub(in crate::driver) fn act(&self, message: &str) {
        // The process must end even if logging fails.
        let _ = catch_unwind(AssertUnwindSafe(|| tracing::error!("{message}")));
        match self {
            Self::ExitProcess => {
                // The log may be written asynchronously, so the message is also written directly. `eprintln` would panic if stderr is closed.
                let _ = writeln!(io::stderr(), "{message}");
                std::process::exit(70);
            }
            Self::Call(call) => call(message),
        }
    }
}

impl fmt::Debug for OnOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExitProcess => "ExitProcess",
            Self::Call(_) => "Call",
        })
    }
}
