//! A pause point between the gate's last check of the clock and the sending of a write.
#![expect(clippy::disallowed_methods, reason = "a stopped process does no more than wait")]

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const OFF: u8 = 0;
const ARMED: u8 = 1;
const REACHED: u8 = 2;
static PAUSE: AtomicU8 = AtomicU8::new(OFF);
static PAUSE_FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Pauses the next write of this process between the gate's last check and its sending, after which the clock is not checked
/// any more. The write continues when this is dropped.
#[derive(Debug)]
pub struct PausedWrite(());

impl PausedWrite {
    /// Pauses the next write. There may be only one of these at a time.
    pub fn next() -> Self {
        PAUSE.store(ARMED, Ordering::SeqCst);
        Self(())
    }

    /// Whether a write has reached the pause point.
    pub fn is_reached(&self) -> bool {
        PAUSE.load(Ordering::SeqCst) == REACHED
    }
}

impl Drop for PausedWrite {
    fn drop(&mut self) {
        PAUSE.store(OFF, Ordering::SeqCst);
    }
}

/// The pause point between the gate's last check and the sending of a write. Reads go through. Blocks the thread: a stopped process does no more than that.
///
/// With `LEASE_CORE_PAUSE_BEFORE_SEND=<file>` every write waits here while the file exists, and `<file>.reached` says
/// that one does: for processes that a test stops from outside.
pub(crate) fn pause_before(method: &http::Method) {
    if method.is_safe() {
        return;
    }
    if PAUSE.compare_exchange(ARMED, REACHED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        while PAUSE.load(Ordering::SeqCst) == REACHED {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let file = PAUSE_FILE.get_or_init(|| std::env::var_os("LEASE_CORE_PAUSE_BEFORE_SEND").map(PathBuf::from));
    let Some(file) = file.as_ref().filter(|file| file.exists()) else { return };
    let mut reached = file.clone().into_os_string();
    reached.push(".reached");
    if let Err(error) = std::fs::write(&reached, std::process::id().to_string()) {
        tracing::error!(%error, "the pause point before sending could not be announced");
    }
    while file.exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
}
