//! A copy of etcd's data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The state of a control plane at one moment, made by [`Cluster::back_up`](crate::Cluster::back_up). It lives in the cluster's
/// work directory and goes with it.
#[derive(Debug, Clone)]
pub struct Backup(PathBuf);

impl Backup {
    /// Copies `data`, whose etcd must not write meanwhile, into a new directory beside it.
    ///
    /// What a stopped process has written is what a reader of its files finds, so the copy is as one that a loss of power leaves:
    /// etcd's write-ahead log is made for that.
    pub(super) fn take(data: &Path) -> io::Result<Self> {
        let home = data.parent().unwrap_or(data);
        let copy = tempfile::Builder::new().prefix("backup-").tempdir_in(home)?.keep();
        copy_tree(data, &copy)?;
        Ok(Self(copy))
    }

    /// Replaces `data` by the copy. Nothing may run on it.
    pub(super) fn put_back(&self, data: &Path) -> io::Result<()> {
        fs::remove_dir_all(data)?;
        copy_tree(&self.0, data)
    }
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    // etcd refuses a data directory that others may read.
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_after_the_backup_is_gone_when_it_is_put_back() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("etcd");
        fs::create_dir_all(data.join("member/wal")).unwrap();
        fs::write(data.join("member/wal/0"), "old").unwrap();
        let backup = Backup::take(&data).unwrap();
        fs::write(data.join("member/wal/0"), "new").unwrap();
        fs::write(data.join("member/wal/1"), "more").unwrap();
        backup.put_back(&data).unwrap();
        assert_eq!(fs::read_to_string(data.join("member/wal/0")).unwrap(), "old");
        assert!(!data.join("member/wal/1").exists());
    }
}
