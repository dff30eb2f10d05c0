//! The file: opened, locked, read and written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock, open as open_file};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::driver::options::ElectionsOptions;
use crate::identity::Identity;

/// More than [`KEPT`](super::KEPT) of the longest identities take.
const LARGEST: u64 = 64 * 1024;

/// The contents of the file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    /// Where this was written. In another place it means nothing.
    pub(super) place: Place,
    /// Who has held the lock, in the order in which they did.
    pub(super) processes: Vec<Process>,
}

/// A process that has held the lock.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    identity: String,
    /// Its LeaseDuration − RenewDeadline, because the next process may have other settings.
    longest_transit_ms: u64,
}

impl Process {
    /// This process.
    pub(super) fn of(options: &ElectionsOptions) -> Self {
        let transit = options.timings.longest_transit();
        // Rounded up.
        let millis = u64::try_from(transit.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        Self { identity: options.identity.to_string(), longest_transit_ms: millis }
    }

    /// Its identity, and how long its requests may be on their way.
    pub(super) fn named(&self) -> Option<(Identity, Duration)> {
        let identity = Identity::new(self.identity.clone()).ok()?;
        Some((identity, Duration::from_millis(self.longest_transit_ms)))
    }
}

/// Creates the file if it does not exist. No other program inherits it: a lock ends when the last descriptor of its file is closed.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(File::from(open_file(path, flags, Mode::RUSR | Mode::WUSR)?))
}

/// Takes the lock; `false` if another process holds it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// `None` if the file is new, or does not contain what a process like this one writes.
pub(super) fn read(file: &File) -> io::Result<Option<Contents>> {
    let length = file.metadata()?.len().min(LARGEST);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Replaces the contents. If this process is killed in the middle, the next one finds a text that it cannot read, and waits for expiry.
///
/// Nothing is synced to the disk: the contents count only as long as this kernel runs, and as long as it does, it knows what was written.
pub(super) fn write(file: &File, contents: &Contents) -> io::Result<()> {
    let bytes = serde_json::to_vec(contents)?;
    file.set_len(0)?;
    file.write_all_at(&bytes, 0)
}
