//! What is done about work that cannot be stopped in time.

use std::fmt;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What to do when work that lost its Lease cannot be stopped before LeaseDuration is over: from then on, two replicas
/// might act.
#[derive(Clone)]
pub enum OnOverrun {
    /// End the process with exit code 70, after a message.
    ExitProcess,
    /// Call this instead. For tests.
    Call(Arc<dyn Fn(&str) + Send + Sync>),
}

impl OnOverrun {
    pub(in crate::driver) fn act(&self, message: &str) {
        // Whatever is wrong with the log, the process has to end.
        let _ = catch_unwind(AssertUnwindSafe(|| tracing::error!("{message}")));
        match self {
            Self::ExitProcess => {
                // The log's writer may be behind; this line has to get out, if there is a way. `eprintln` panics where there is none.
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
