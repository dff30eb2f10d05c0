//! Where a name was written. A lock says nothing about a process that held another one.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::fstatfs;
use serde::{Deserialize, Serialize};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// File systems whose locks the kernel keeps in its own memory, by the numbers in statfs(2). On any other one, another machine may hold the same lock.
const LOCAL: [u64; 6] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
    0x0102_1994, // tmpfs
];

/// One file, since one start of a machine.
///
/// The same text in another file is a copy, and on a volume that was moved here its writer may still run on another machine. The device has to be compared as well,
/// because file systems number their files alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Different for each start of each machine.
    boot: String,
    device: u64,
    inode: u64,
}

impl Place {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{BOOT_ID}: {error}"));
        let boot = std::fs::read_to_string(BOOT_ID).map_err(named)?.trim().to_owned();
        Ok(Self { boot, device: metadata.dev(), inode: metadata.ino() })
    }
}

/// Whether the file is on a file system with local locks; otherwise the number of its type.
pub(super) fn has_local_locks(file: &File) -> io::Result<Result<(), u64>> {
    let kind = u64::try_from(fstatfs(file)?.f_type).unwrap_or_default();
    Ok(if LOCAL.contains(&kind) { Ok(()) } else { Err(kind) })
}
