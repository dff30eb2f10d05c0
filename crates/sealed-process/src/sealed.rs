//! Sealing, and what a sealed process can be asked.

use std::hash::RandomState;
use std::time::{Duration, SystemTime};

use super::{SealError, clocks, randomness};

/// Seals this process: from here on `seed` decides what it draws, and the wall clock stands at `epoch`, counted from the UNIX
/// epoch. To be called first thing in main, before any thread is started.
pub fn seal(seed: u64, epoch: Duration) -> Result<(), SealError> {
    let start = randomness::seal(seed).ok_or(SealError::Twice)?;
    clocks::seal(epoch, start);
    let sealed = check(epoch);
    if sealed.is_err() {
        clocks::unseal();
        randomness::unseal();
    }
    sealed
}

/// Lets time pass until `since_seal` after [`seal`]. An earlier time than now is ignored: clocks that replicas disagree about
/// are not the process's clock.
pub fn set_time(since_seal: Duration) {
    clocks::set(since_seal);
}

/// How often randomness was drawn since [`seal`]: two runs that differ here have gone apart.
pub fn draws() -> u64 {
    randomness::draws()
}

/// How often the wall clock was read since [`seal`].
pub fn wall_reads() -> u64 {
    clocks::wall_reads()
}

/// Calls `observer` at each further read of the wall clock, on the thread that reads, such as to print a backtrace of it. What
/// the observer itself reads is counted, but not observed.
pub fn on_wall_read(observer: fn()) {
    clocks::observe_wall_reads(observer);
}

/// Whether std takes from here what it should.
fn check(epoch: Duration) -> Result<(), SealError> {
    let before = draws();
    drop(RandomState::new());
    if draws() == before {
        return Err(SealError::TooLate);
    }
    let read = wall_reads();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    if wall.ok() != Some(epoch) || wall_reads() == read {
        return Err(SealError::ClockNotTaken);
    }
    clocks::forget_wall_reads();
    Ok(())
}
