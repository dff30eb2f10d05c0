//! Replaces the randomness and the time that a process gets from the operating system by values that follow from a seed, so that a
//! simulation gives the same trace for the same seed, even if its dependencies use randomness or time.
//!
//! ```no_run
//! # use std::time::Duration;
//! sealed_process::seal(42, Duration::from_secs(1_767_225_600))?; // first thing in main
//! sealed_process::set_time(Duration::from_secs(5));
//! # Ok::<(), sealed_process::SealError>(())
//! ```
//!
//! A program that links this crate uses its `getrandom` and `clock_gettime` instead of those of the C library. Before
//! [`seal`], both call the kernel. Afterwards
//!
//! - `getrandom` returns numbers of a seeded generator. The keys of HashMap, uuids, fastrand's global generator, and
//!   the order in which `tokio::select!` polls its branches depend on it;
//! - `clock_gettime` returns the time of [`set_time`], and the time does not advance in between. `SystemTime` begins at the epoch
//!   that is passed to [`seal`]. `Instant` begins at a point that follows from the seed and is later than any earlier reading, so it never goes backwards.
//!
//! # What is not replaced
//!
//! - System calls without the C library, such as those of `rustix` (which reads the clock through the vDSO).
//! - The clocks of CPU time, which still call the kernel.
//! - Addresses: an order or a hash of pointers differs from run to run.
//! - The scheduling of threads. Their random numbers follow from the seed, but not which thread draws first. Waiting for real time, such as
//!   `thread::park_timeout`, uses a clock that does not advance, and never ends.
//! - Values that were drawn before [`seal`] and kept. A thread keeps its first HashMap keys; those of the calling thread are checked.

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

/// Why a process could not be sealed. It continues as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// On this platform the functions of the C library cannot be replaced.
    #[error("a process can be sealed on 64-bit Linux only; run the simulation there")]
    Unsupported,
    /// The process is sealed already. A second seed would not undo what was drawn from the first.
    #[error("this process is sealed already; start a process for each seed")]
    Twice,
    /// The calling thread has created a HashMap already. Its keys are kept per thread, so they would not follow from the seed.
    #[error("this thread has created a HashMap before the process was sealed; call seal first in main")]
    TooLate,
    /// The program is linked with another `clock_gettime`.
    #[error(
        "SystemTime does not follow the sealed clock; check which clock_gettime this program is linked with"
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
