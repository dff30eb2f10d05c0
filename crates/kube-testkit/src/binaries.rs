//! Where the programs of a control plane come from: `KUBEBUILDER_ASSETS`, else the cache, else built from Go modules.

mod build;
mod progress;
mod recipe;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use recipe::Program;

use crate::choice::BackendChoice;
use crate::error::StartError;
use crate::versions;

/// Finds a program, building it if need be. Blocks, for minutes when it has to build.
///
/// # Errors
///
/// [`StartError::Unavailable`] if `KUBEBUILDER_ASSETS` is set and lacks the program, or if it would have to be built and
/// there is no `go` in `PATH`.
pub fn find(program: Program) -> Result<PathBuf, StartError> {
    find_in(program, non_empty("KUBEBUILDER_ASSETS"), &cache_dir()?, go())
}

/// Whether [`find`] has a chance, without building anything.
///
/// # Errors
///
/// As for [`find`].
pub fn can_find(program: Program) -> Result<(), StartError> {
    let cached = cache_dir()?.join(program.name()).exists();
    match non_empty("KUBEBUILDER_ASSETS") {
        Some(assets) => from_assets(program, &assets).map(drop),
        None if cached || go().is_some() => Ok(()),
        None => Err(no_go(program)),
    }
}

/// Finds a `kubectl`: as [`find`] does, but rather takes the one in `PATH` than build one.
///
/// # Errors
///
/// [`StartError::Unavailable`] if there is none at hand.
pub fn find_kubectl() -> Result<PathBuf, StartError> {
    let found = find_in(Program::Kubectl, non_empty("KUBEBUILDER_ASSETS"), &cache_dir()?, None);
    found.or_else(|error| in_path("kubectl").ok_or(error))
}

/// Where built programs are kept: `$KUBE_TESTKIT_CACHE`, else `kube-testkit` in the user's cache directory, and in it
/// a directory for each Kubernetes release.
///
/// # Errors
///
/// Neither of these variables is set, nor HOME; or no release can be told, see [`versions::kubernetes`].
pub fn cache_dir() -> Result<PathBuf, StartError> {
    let release = versions::kubernetes()?;
    let under = |name: &str, rest: &str| Some(PathBuf::from(non_empty(name)?).join(rest));
    under("KUBE_TESTKIT_CACHE", "")
        .or_else(|| under("XDG_CACHE_HOME", "kube-testkit"))
        .or_else(|| under("HOME", ".cache/kube-testkit"))
        .map(|dir| dir.join(format!("k8s-{release}")))
        .ok_or_else(|| unavailable("neither KUBE_TESTKIT_CACHE, XDG_CACHE_HOME nor HOME is set".into()))
}

fn find_in(
    program: Program,
    assets: Option<OsString>,
    cache: &Path,
    go: Option<PathBuf>,
) -> Result<PathBuf, StartError> {
    if let Some(assets) = assets {
        return from_assets(program, &assets);
    }
    let cached = cache.join(program.name());
    if cached.exists() {
        return Ok(cached);
    }
    let go = go.ok_or_else(|| no_go(program))?;
    build::build(program, &go, cache)
}

fn from_assets(program: Program, assets: &OsString) -> Result<PathBuf, StartError> {
    let path = Path::new(assets).join(program.name());
    if path.exists() {
        return Ok(path);
    }
    Err(unavailable(format!(
        "KUBEBUILDER_ASSETS is {}, where there is no {}; run `setup-envtest use -p env`, or unset it to have the \
         programs built",
        Path::new(assets).display(),
        program.name()
    )))
}

fn no_go(program: Program) -> StartError {
    unavailable(format!(
        "there is no {} in the cache and no `go` in PATH to build it with; set KUBEBUILDER_ASSETS to a directory with \
         etcd and kube-apiserver, or install Go",
        program.name()
    ))
}

fn go() -> Option<PathBuf> {
    in_path("go")
}

/// Looks a program up in `PATH`.
pub(crate) fn in_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn non_empty(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn unavailable(reason: String) -> StartError {
    StartError::Unavailable { backend: BackendChoice::Local, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_without_the_program_are_named_in_the_error() {
        let dir = tempfile::tempdir().unwrap();
        let error = find_in(Program::Etcd, Some(dir.path().into()), dir.path(), None).unwrap_err();
        assert!(error.is_unavailable());
        assert!(error.to_string().contains("no etcd"), "{error}");
    }

    #[test]
    fn assets_win_over_the_cache() {
        let (assets, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&assets, &cache] {
            std::fs::write(dir.path().join("etcd"), "").unwrap();
        }
        let found = find_in(Program::Etcd, Some(assets.path().into()), cache.path(), None).unwrap();
        assert_eq!(found, assets.path().join("etcd"));
        let found = find_in(Program::Etcd, None, cache.path(), None).unwrap();
        assert_eq!(found, cache.path().join("etcd"));
    }

    #[test]
    fn without_go_nothing_is_built() {
        let dir = tempfile::tempdir().unwrap();
        let error = find_in(Program::Apiserver, None, dir.path(), None).unwrap_err();
        assert!(error.is_unavailable());
        assert!(error.to_string().contains("install Go"), "{error}");
    }
}
