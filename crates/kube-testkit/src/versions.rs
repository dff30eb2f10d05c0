//! Every version this crate builds or pulls, in one place.

use std::borrow::Cow;

use crate::choice::BackendChoice;
use crate::error::StartError;

/// The Kubernetes release of `kube-apiserver` and `kubectl`, unless `KUBE_TESTKIT_KUBERNETES` chooses another: see [`kubernetes`].
pub const KUBERNETES: &str = "v1.37.2";

/// The oldest release that this workspace supports: `KUBE_TESTKIT_KUBERNETES=oldest`.
pub const OLDEST_KUBERNETES: &str = "v1.35.4";

/// The version of Kubernetes' staging modules (`k8s.io/api`, …) that belongs to [`KUBERNETES`].
pub const KUBERNETES_STAGING: &str = "v0.37.2";

/// The etcd release, as a Go module version. All supported releases of Kubernetes run with it.
pub const ETCD: &str = "v3.7.0";

/// The image of the `testcontainers` backend's etcd; `KUBE_TESTKIT_ETCD_IMAGE` overrides it.
pub const ETCD_IMAGE: &str = "registry.k8s.io/etcd:3.7.0-0";

/// The variable by which tests choose the release.
const VARIABLE: &str = "KUBE_TESTKIT_KUBERNETES";

/// The Kubernetes release to build or pull: that of `KUBE_TESTKIT_KUBERNETES`, which is `oldest` or one such as `v1.36.3`, else
/// [`KUBERNETES`].
///
/// # Errors
///
/// If the variable holds neither, or if `KUBEBUILDER_ASSETS` is set as well: whose release would be tested?
pub fn kubernetes() -> Result<Cow<'static, str>, StartError> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    chosen(variable(VARIABLE).as_deref(), variable("KUBEBUILDER_ASSETS").is_some())
}

/// The image of the `testcontainers` backend's API server; `KUBE_TESTKIT_APISERVER_IMAGE` overrides it.
///
/// # Errors
///
/// As for [`kubernetes`].
pub fn apiserver_image() -> Result<String, StartError> {
    Ok(format!("registry.k8s.io/kube-apiserver:{}", kubernetes()?))
}

fn chosen(release: Option<&str>, has_assets: bool) -> Result<Cow<'static, str>, StartError> {
    let refused = |reason| Err(StartError::Unavailable { backend: BackendChoice::Local, reason });
    let Some(release) = release else { return Ok(KUBERNETES.into()) };
    if has_assets {
        return refused(format!(
            "{VARIABLE} is {release}, and KUBEBUILDER_ASSETS names programs of some release; unset one of them"
        ));
    }
    if release == "oldest" {
        return Ok(OLDEST_KUBERNETES.into());
    }
    let numbers: Vec<_> = release.strip_prefix("v1.").into_iter().flat_map(|rest| rest.split('.')).collect();
    if numbers.len() == 2 && numbers.iter().all(|number| number.parse::<u16>().is_ok()) {
        return Ok(release.to_owned().into());
    }
    refused(format!("{VARIABLE} is {release:?}; set it to \"oldest\" or to a release such as {KUBERNETES}"))
}

/// The version of the staging modules of a release: `v0.37.2` of `v1.37.2`.
pub(crate) fn staging_of(release: &str) -> String {
    release.replacen("v1.", "v0.", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_chosen_by_name_or_by_number() {
        assert_eq!(chosen(None, true).unwrap(), KUBERNETES);
        assert_eq!(chosen(Some("oldest"), false).unwrap(), OLDEST_KUBERNETES);
        assert_eq!(chosen(Some("v1.36.3"), false).unwrap(), "v1.36.3");
        for wrong in ["1.36.3", "v1.36", "v1.36.x", "newest"] {
            let refused = chosen(Some(wrong), false).unwrap_err().to_string();
            assert!(refused.contains(wrong) && refused.contains("\"oldest\""), "{refused}");
        }
        let refused = chosen(Some("v1.36.3"), true).unwrap_err().to_string();
        assert!(refused.contains("unset one of them"), "{refused}");
    }

    #[test]
    fn the_staging_modules_have_the_same_minor_version() {
        assert_eq!(staging_of(KUBERNETES), KUBERNETES_STAGING);
    }
}
