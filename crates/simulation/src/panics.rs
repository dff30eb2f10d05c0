//! Panics, wherever they happen: tokio catches those of tasks, and nobody would see them.

use std::panic;
use std::sync::{Mutex, Once, PoisonError};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
static WATCHING: Once = Once::new();

/// Notes all panics from now on.
pub(crate) fn watch() {
    WATCHING.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            // Said at once as well: one in the simulation itself leaves nobody to ask afterwards.
            eprintln!("{panic}");
            SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(panic.to_string());
        }));
    });
}

/// Those noted so far.
pub(crate) fn take() -> Vec<String> {
    std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner))
}
