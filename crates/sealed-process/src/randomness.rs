//! `getrandom`, from a seed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libc::{c_uint, c_void, size_t, ssize_t};

static SEALED: AtomicBool = AtomicBool::new(false);
/// Of splitmix64. Atomics rather than a lock: the C library may call from wherever it likes.
static STATE: AtomicU64 = AtomicU64::new(0);
static DRAWS: AtomicU64 = AtomicU64::new(0);

/// Returns a first number for the clocks; `None` if this was sealed before.
pub(crate) fn seal(seed: u64) -> Option<u32> {
    if SEALED.swap(true, Ordering::SeqCst) {
        return None;
    }
    STATE.store(seed, Ordering::SeqCst);
    DRAWS.store(0, Ordering::SeqCst);
    u32::try_from(next() >> 32).ok()
}

pub(crate) fn unseal() {
    SEALED.store(false, Ordering::SeqCst);
}

pub(crate) fn draws() -> u64 {
    DRAWS.load(Ordering::SeqCst)
}

/// splitmix64 (Steele, Lea and Flood, 2014): every seed gives a sequence that passes the usual tests, zero included.
fn next() -> u64 {
    const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut mixed = STATE.fetch_add(GOLDEN_GAMMA, Ordering::SeqCst).wrapping_add(GOLDEN_GAMMA);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn fill(bytes: &mut [u8]) {
    DRAWS.fetch_add(1, Ordering::SeqCst);
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_le_bytes()[..chunk.len()]);
    }
}

/// Takes the place of the C library's function; see `man 2 getrandom`.
#[expect(unsafe_code, reason = "its name and its arguments are those of the C library")]
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    if !SEALED.load(Ordering::SeqCst) || buffer.is_null() {
        // SAFETY: these are the arguments of the system call, as they came from the caller, who answers for them.
        let filled = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
        return ssize_t::try_from(filled).unwrap_or(-1);
    }
    // More than isize::MAX bytes can be in no buffer.
    let length = length.min(isize::MAX as usize);
    // SAFETY: by the contract of getrandom the caller owns `length` writable bytes at `buffer`. They need not be
    // initialised, so they are before a slice is made of them.
    let bytes = unsafe {
        std::ptr::write_bytes(buffer.cast::<u8>(), 0, length);
        std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length)
    };
    fill(bytes);
    length.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_splitmix64s() {
        STATE.store(1_234_567, Ordering::SeqCst);
        let known = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([next(), next(), next()], known);
    }
}
