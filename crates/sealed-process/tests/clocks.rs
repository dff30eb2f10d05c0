//! What the clocks of a sealed process show, and that they are the kernel's before. One test, since sealing is for good.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rustix::time::{ClockId, Timespec, clock_gettime};
use sealed_process::{SealError, draws, on_wall_read, seal, set_time, wall_reads};

const EPOCH: Duration = Duration::from_secs(1_767_225_600);

#[test]
fn the_clocks_are_the_kernels_until_the_seal_and_the_callers_afterwards() {
    // rustix asks the kernel by itself.
    let before = since_1970(clock_gettime(ClockId::Realtime));
    let unsealed = wall();
    let after = since_1970(clock_gettime(ClockId::Realtime));
    assert!((before..=after).contains(&unsealed), "{before:?} ≤ {unsealed:?} ≤ {after:?}");
    assert_ne!(uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let earlier = Instant::now();

    seal(1, EPOCH).expect("sealed");
    assert_eq!(seal(2, EPOCH), Err(SealError::Twice));
    let sealed = Instant::now();
    assert!(sealed > earlier);
    assert_eq!(wall_reads(), 0);
    assert_eq!((wall(), wall()), (EPOCH, EPOCH));
    assert_eq!(wall_reads(), 2);

    set_time(Duration::from_secs(10));
    assert_eq!(sealed.elapsed(), Duration::from_secs(10));
    set_time(Duration::from_secs(4));
    assert_eq!(sealed.elapsed(), Duration::from_secs(10), "time does not go backwards");
    assert_eq!(wall_reads(), 2, "an Instant is no wall clock");
    assert_eq!(wall(), EPOCH + Duration::from_secs(10));

    let drawn = draws();
    assert_ne!(uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    assert!(draws() > drawn);

    on_wall_read(|| {
        OBSERVED.fetch_add(1, Ordering::SeqCst);
        wall();
    });
    wall();
    assert_eq!(OBSERVED.load(Ordering::SeqCst), 1, "what an observer reads is not observed");
}

static OBSERVED: AtomicU64 = AtomicU64::new(0);

fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970")
}

fn since_1970(time: Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).expect("after 1970");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("less than a second"))
}
