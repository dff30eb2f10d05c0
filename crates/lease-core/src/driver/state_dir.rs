//! A directory that outlives the process: by a lock on a file in it, a process that restarts in place knows that the processes before it have ended.
//!
//! The file names each process that has held the lock. A process never gives its lock up, so the kernel passes the lock on when the process is dead:
//! when all of its threads have ended and its files are closed. Whoever then gets the lock knows of each name in the file that nothing acts
//! under it any more. The file is written only under the lock.
//!
//! The lock proves this only within one kernel. So a name counts only if it was written into this very file since the machine was started, on a file system
//! whose locks the kernel keeps itself: an NFS server, for example, gives the lock of a client to another one if it has not heard from the client for a while.
//! Everything else, such as a file that cannot be read, proves nothing, and the Leases of earlier processes have to expire.

mod file;
mod place;

use std::path::PathBuf;

use self::file::{Contents, Process};
use self::place::Place;
use super::options::ElectionsOptions;
use crate::ended::EndedProcesses;
use crate::rules;

/// How many processes the file names, the latest ones. The Leases of earlier ones have expired long ago, unless a container has crashed so often
/// within LeaseDuration.
const KEPT: usize = 32;

/// Why the end of earlier processes cannot be proven, and that of this process will not be.
#[derive(Debug, thiserror::Error)]
enum Unproven {
    #[error(
        "another process holds the lock on {0}; give each container a directory of its own, and start leader election once in a process"
    )]
    Held(PathBuf),
    #[error(
        "{path} is on a file system of type {kind:#x}, whose locks may be lost while their holder runs; use an emptyDir, or another \
         directory on ext4, xfs, btrfs, f2fs, zfs or tmpfs"
    )]
    NotLocal { path: PathBuf, kind: u64 },
    #[error("{path}: {source}; can this process write there, and does the directory exist?")]
    File { path: PathBuf, source: std::io::Error },
}

/// The processes that are proven to have ended, by the lock in the state directory of these options. Holds the lock for the rest of the life of this process.
///
/// Has to be called before this process sends anything about a Lease.
pub(super) fn ended_processes(options: &ElectionsOptions) -> EndedProcesses {
    let Some(dir) = &options.state_dir else { return EndedProcesses::default() };
    match prove(dir.join(options.id.as_str()), options) {
        Ok(ended) => {
            for identity in ended.identities() {
                tracing::info!(
                    "{identity} has ended, so its Leases are taken back without waiting for their expiry"
                );
            }
            ended
        }
        Err(why) => {
            tracing::warn!(
                "after a restart of this process, the Leases that it held before have to expire: {why}"
            );
            EndedProcesses::default()
        }
    }
}

fn prove(path: PathBuf, options: &ElectionsOptions) -> Result<EndedProcesses, Unproven> {
    let failed = |source: std::io::Error| Unproven::File { path: path.clone(), source };
    let file = file::open(&path).map_err(failed)?;
    if let Err(kind) = place::has_local_locks(&file).map_err(failed)? {
        return Err(Unproven::NotLocal { path, kind });
    }
    let is_held = file::try_lock(&file).map_err(failed)?;
    if !rules::lock_proves_the_end(is_held) {
        return Err(Unproven::Held(path));
    }
    let at = options.clock.now().monotonic;
    let place = Place::of(&file).map_err(failed)?;
    let earlier = file::read(&file).map_err(failed)?.filter(|contents| contents.place == place);
    let mut processes = earlier.map(|contents| contents.processes).unwrap_or_default();
    let ended = EndedProcesses::proven_by_lock(is_held, at, processes.iter().filter_map(Process::named));
    processes.push(Process::of(options));
    let processes = processes.split_off(processes.len().saturating_sub(KEPT));
    let written = file::write(&file, &Contents { place, processes });
    // Never closed, so that the lock lasts exactly as long as this process: whatever owned the file could be dropped before the work ends.
    std::mem::forget(file);
    if let Err(error) = written {
        tracing::warn!(
            "after the next restart of this process, its Leases have to expire: {}",
            failed(error)
        );
    }
    Ok(ended)
}

#[cfg(test)]
mod tests;
