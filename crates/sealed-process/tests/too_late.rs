//! A thread keeps its first HashMap keys, so a seal that comes after them must not look like one.

#![cfg(all(target_os = "linux", target_pointer_width = "64"))]

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use sealed_process::{SealError, seal};

#[test]
fn a_thread_that_has_drawn_its_keys_cannot_seal() {
    let drawn: HashMap<u8, u8> = HashMap::new();
    assert_eq!(seal(1, Duration::ZERO), Err(SealError::TooLate));
    assert!(SystemTime::now() > SystemTime::UNIX_EPOCH, "the clocks go on as they were");
    drop(drawn);
}
