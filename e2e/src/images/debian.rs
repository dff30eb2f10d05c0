//! A memcached image of Debian's package and the libraries that it needs, where no image can be pulled.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use anyhow::{Context, Result};

use super::build;
use crate::tool::Tool;

const TAG: &str = "memcached:debian";

/// Builds the image from packages of this machine's own mirror. Only libraries are followed: the other dependencies of the
/// package are for its installation as a service.
pub(super) async fn memcached_image(dir: &Path) -> Result<String> {
    let work = dir.join("memcached");
    let root = work.join("root");
    std::fs::create_dir_all(&root).with_context(|| format!("{} could not be made", root.display()))?;
    let mut waiting = VecDeque::from(["memcached".to_owned()]);
    let mut seen = BTreeSet::new();
    while let Some(package) = waiting.pop_front() {
        if seen.insert(package.clone()) {
            waiting.extend(unpack(&package, &work, &root).await?);
        }
    }
    for spare in ["usr/share", "var", "etc"] {
        let _ = std::fs::remove_dir_all(root.join(spare));
    }
    let dockerfile =
        "FROM scratch\nCOPY root /\nENV PATH=/usr/bin\nUSER 11211:11211\nENTRYPOINT [\"memcached\"]\n";
    build(&work, dockerfile, TAG).await?;
    Ok(TAG.to_owned())
}

/// Unpacks a package and names the libraries that it depends on.
async fn unpack(package: &str, work: &Path, root: &Path) -> Result<Vec<String>> {
    let download = Tool::new("apt-get").args(["download", "-q", package]).dir(work).run().await;
    download.with_context(|| {
        format!("Debian's package {package} could not be downloaded; name an image with --memcached-image")
    })?;
    let prefix = format!("{package}_");
    let files = std::fs::read_dir(work)?.filter_map(Result::ok).map(|entry| entry.path());
    let mut files = files.filter(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(&prefix) && path.extension().is_some_and(|extension| extension == "deb")
    });
    let file = files.next().with_context(|| format!("apt-get left no file for {package}"))?;
    Tool::new("dpkg-deb").args(["--extract".as_ref(), file.as_path(), root]).run().await?;
    let depends =
        Tool::new("dpkg-deb").args(["--field".as_ref(), file.as_os_str(), "Depends".as_ref()]).run().await?;
    Ok(libraries(&depends))
}

/// The libraries of a line such as `libc6 (>= 2.34), libevent-2.1-7 (>= 2.1.8), perl:any, lsb-base`.
fn libraries(depends: &str) -> Vec<String> {
    let first_choice = |clause: &str| {
        let name = clause.split('|').next()?.split_whitespace().next()?;
        Some(name.split(':').next()?.to_owned())
    };
    depends.split(',').filter_map(first_choice).filter(|name| name.starts_with("lib")).collect()
}

#[cfg(test)]
mod tests {
    use super::libraries;

    #[test]
    fn only_libraries_are_followed() {
        let depends =
            "libc6 (>= 2.34), libevent-2.1-7 (>= 2.1.8-stable), perl:any, lsb-base | x, libssl3 | libssl1.1";
        assert_eq!(libraries(depends), ["libc6", "libevent-2.1-7", "libssl3"]);
    }
}
