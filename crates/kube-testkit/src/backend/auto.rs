//! `auto`: what this machine has.

use super::BackendChoice;
use crate::binaries::{self, Program};
use crate::error::StartError;

/// The backends worth trying, best first, each with the reason why it is there. Never `existing`: that has to be asked
/// for by name.
pub(crate) fn candidates() -> Result<Vec<(BackendChoice, &'static str)>, StartError> {
    let mut candidates = Vec::new();
    let mut reasons = Vec::new();
    match local() {
        Ok(reason) => candidates.push((BackendChoice::Local, reason)),
        Err(error) => reasons.push(error.to_string()),
    }
    if candidates.is_empty() { Err(StartError::NoneAvailable { reasons }) } else { Ok(candidates) }
}

fn local() -> Result<&'static str, StartError> {
    for program in [Program::Etcd, Program::Apiserver] {
        binaries::can_find(program)?;
    }
    if std::env::var_os("KUBEBUILDER_ASSETS").is_some() {
        return Ok("KUBEBUILDER_ASSETS is set");
    }
    let cache = binaries::cache_dir()?;
    let at_hand =
        [Program::Etcd, Program::Apiserver].iter().all(|program| cache.join(program.name()).exists());
    Ok(if at_hand {
        "its programs are in the cache"
    } else {
        "there is a Go toolchain to build its programs with"
    })
}
