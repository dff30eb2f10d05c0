//! Replaces what a process draws from the operating system, randomness and time, by values that a seed decides: so that a
//! simulation gives the same trace for the same seed, whatever its dependencies draw behind its back.
//!
//! ```no_run
//! # use std::time::Duration;
//! sealed_process::seal(42, Duration::from_secs(1_767_225_600))?; // first thing in main
//! sealed_process::set_time(Duration::from_secs(5));
//! # Ok::<(), sealed_process::SealError>(())
//! ```
//!
//! A program that links this crate has its own `getrandom` and `clock_gettime` in front of those of the C library. Until
//! [`seal`] both ask the kernel. Afterwards
//!
//! - `getrandom` hands out a generator's numbers. What hangs on it: the keys of HashMap, uuids, fastrand's global generator,
//!   the order in which `tokio::select!` looks at its branches;
//! - `clock_gettime` tells the time of [`set_time`], and time stands still in between. `SystemTime` begins at the epoch
//!   given to [`seal`]. `Instant` begins at a point that the seed decides, later than any before: it never goes backwards.
//!
//! # What stays outside
//!
//! - Whoever makes system calls without the C library, such as `rustix` (it reads the clock through the vDSO).
//! - The clocks of CPU time, which go to the kernel.
//! - Addresses: what orders or hashes by pointer differs from run to run.
//! - Threads. What they draw is decided by the seed, but not who draws first. Waiting for real time, such as
//!   `thread::park_timeout`, reckons with a clock that stands still, and does not end.
//! - Whatever was drawn before [`seal`] and kept. A thread keeps its first HashMap keys; that of the caller is checked.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod clocks;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod randomness;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod sealed;

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use sealed::{draws, on_wall_read, seal, set_time, wall_reads};
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub use unsealed::{draws, on_wall_read, seal, set_time, wall_reads};

/// Why a process could not be sealed. It goes on as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Elsewhere the C library's functions cannot be replaced this way.
    #[error("a process can be sealed on 64-bit Linux only; run the simulation there")]
    Unsupported,
    /// A second seed would not undo what was drawn from the first.
    #[error("this process is sealed already; start a process for each seed")]
    Twice,
    /// HashMap keys are kept per thread, so these would not follow from the seed.
    #[error("this thread has made a HashMap before the process was sealed; seal first thing in main")]
    TooLate,
    /// The linker took another `clock_gettime`.
    #[error(
        "SystemTime does not follow the sealed clock; look at which clock_gettime this program is linked with"
    )]
    ClockNotTaken,
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod unsealed {
    use std::time::Duration;

    use super::SealError;

    /// See [`SealError::Unsupported`].
    pub fn seal(_: u64, _: Duration) -> Result<(), SealError> {
        Err(SealError::Unsupported)
    }

    /// Does nothing here.
    pub fn set_time(_: Duration) {}

    /// None here.
    pub fn draws() -> u64 {
        0
    }

    /// None here.
    pub fn wall_reads() -> u64 {
        0
    }

    /// Does nothing here.
    pub fn on_wall_read(_: fn()) {}
}
