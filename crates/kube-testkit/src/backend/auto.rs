//! `auto`: what this machine has.

use super::probe_testcontainers;
use crate::binaries::{self, Program};
use crate::choice::BackendChoice;
use crate::error::StartError;

/// The backends worth trying, best first, each with the reason why it is there.
///
/// Programs at hand start fastest; images are pulled faster than programs are built. Never `existing`: somebody else's
/// cluster has to be asked for by name.
pub(crate) async fn candidates() -> Result<Vec<(BackendChoice, &'static str)>, StartError> {
    let mut reasons = Vec::new();
    let local = local().map_err(|error| reasons.push(error.to_string())).ok();
    if let Some((AtHand::Yes, why)) = local {
        // Asking docker as well would cost the common case a wait for nothing.
        return Ok(vec![(BackendChoice::Local, why)]);
    }
    let mut candidates = Vec::new();
    match probe_testcontainers().await {
        Ok(()) => candidates.push((BackendChoice::Testcontainers, "a docker engine answers")),
        Err(error) => reasons.push(error.to_string()),
    }
    candidates.extend(local.map(|(_, why)| (BackendChoice::Local, why)));
    if candidates.is_empty() { Err(StartError::NoneAvailable { reasons }) } else { Ok(candidates) }
}

enum AtHand {
    Yes,
    ToBeBuilt,
}

fn local() -> Result<(AtHand, &'static str), StartError> {
    const NEEDED: [Program; 2] = [Program::Etcd, Program::Apiserver];
    NEEDED.into_iter().try_for_each(binaries::can_find)?;
    if std::env::var_os("KUBEBUILDER_ASSETS").is_some_and(|assets| !assets.is_empty()) {
        return Ok((AtHand::Yes, "KUBEBUILDER_ASSETS has its programs"));
    }
    let cache = binaries::cache_dir()?;
    Ok(if NEEDED.iter().all(|program| cache.join(program.name()).exists()) {
        (AtHand::Yes, "its programs are in the cache")
    } else {
        (AtHand::ToBeBuilt, "there is a Go toolchain to build its programs with")
    })
}
