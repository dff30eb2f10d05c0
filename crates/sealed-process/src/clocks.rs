//! `clock_gettime`, as the simulation has it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use libc::{c_int, clockid_t, timespec};

/// Before this the monotonic clocks do not stand when the process is sealed. No machine has been up for so long, so an
/// `Instant` from before never lies ahead.
const LATER_THAN_ANY_UPTIME: Duration = Duration::from_secs(1 << 33);

static SEALED: AtomicBool = AtomicBool::new(false);
static EPOCH_NANOS: AtomicU64 = AtomicU64::new(0);
static START_NANOS: AtomicU64 = AtomicU64::new(0);
static PASSED_NANOS: AtomicU64 = AtomicU64::new(0);
static WALL_READS: AtomicU64 = AtomicU64::new(0);
static OBSERVER: Mutex<Option<fn()>> = Mutex::new(None);
static OBSERVING: AtomicBool = AtomicBool::new(false);

/// `start` decides where the monotonic clocks begin: fastrand takes its seed from an `Instant`.
pub(crate) fn seal(epoch: Duration, start: u32) {
    START_NANOS.store(u64::from(start), Ordering::SeqCst);
    EPOCH_NANOS.store(nanos(epoch), Ordering::SeqCst);
    PASSED_NANOS.store(0, Ordering::SeqCst);
    forget_wall_reads();
    SEALED.store(true, Ordering::SeqCst);
}

pub(crate) fn unseal() {
    SEALED.store(false, Ordering::SeqCst);
}

pub(crate) fn set(since_seal: Duration) {
    PASSED_NANOS.fetch_max(nanos(since_seal), Ordering::SeqCst);
}

pub(crate) fn wall_reads() -> u64 {
    WALL_READS.load(Ordering::SeqCst)
}

pub(crate) fn forget_wall_reads() {
    WALL_READS.store(0, Ordering::SeqCst);
}

pub(crate) fn observe_wall_reads(observer: fn()) {
    *OBSERVER.lock().unwrap_or_else(PoisonError::into_inner) = Some(observer);
}

/// Enough for the year 2554.
fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// What a clock shows in the sealed process; `None` for the clocks that are left to the kernel.
fn reading(clock: clockid_t) -> Option<Duration> {
    let since = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => {
            WALL_READS.fetch_add(1, Ordering::SeqCst);
            tell_observer();
            Duration::from_nanos(EPOCH_NANOS.load(Ordering::SeqCst))
        }
        libc::CLOCK_MONOTONIC
        | libc::CLOCK_MONOTONIC_COARSE
        | libc::CLOCK_MONOTONIC_RAW
        | libc::CLOCK_BOOTTIME => {
            LATER_THAN_ANY_UPTIME + Duration::from_nanos(START_NANOS.load(Ordering::SeqCst))
        }
        _ => return None,
    };
    Some(since + Duration::from_nanos(PASSED_NANOS.load(Ordering::SeqCst)))
}

fn tell_observer() {
    if OBSERVING.swap(true, Ordering::SeqCst) {
        return;
    }
    let observer = *OBSERVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(observer) = observer {
        observer();
    }
    OBSERVING.store(false, Ordering::SeqCst);
}

/// Takes the place of the C library's function; see `man 2 clock_gettime`.
#[expect(unsafe_code, reason = "its name and its arguments are those of the C library")]
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    let sealed = SEALED.load(Ordering::SeqCst) && !time.is_null();
    let Some(reading) = sealed.then(|| reading(clock)).flatten() else {
        // SAFETY: these are the arguments of the system call, as they came from the caller, who answers for them.
        let outcome = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
        return if outcome == 0 { 0 } else { -1 };
    };
    // What two u64 of nanoseconds and the start add up to is far from overflowing.
    let reading =
        timespec { tv_sec: reading.as_secs().cast_signed(), tv_nsec: i64::from(reading.subsec_nanos()) };
    // SAFETY: by the contract of clock_gettime the caller owns a timespec at `time`, which is not null.
    unsafe { time.write(reading) };
    0
}
