//! `existing`: a cluster that is there already and was released for tests.

use std::path::PathBuf;

use futures::future::BoxFuture;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::Backend;
use crate::access::Access;
use crate::choice::BackendChoice;
use crate::error::{OperationError, StartError};
use crate::options::ExistingOptions;

/// A cluster of somebody else's.
pub(crate) struct Existing {
    server: http::Uri,
}

/// Connects, provided that the context is explicitly allowed.
pub(crate) async fn start(options: &ExistingOptions) -> Result<(Existing, Access), StartError> {
    let kubeconfig = match &options.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let kubeconfig = kubeconfig.map_err(|error| StartError::Kubeconfig(Box::new(error)))?;
    let given = |option: &Option<String>, name| option.clone().or_else(|| std::env::var(name).ok());
    let context = given(&options.context, "KUBE_TESTKIT_CONTEXT");
    let allowed = given(&options.allow_context, "KUBE_TESTKIT_ALLOW_CONTEXT");
    connect(kubeconfig, context, allowed.as_deref()).await
}

async fn connect(
    mut kubeconfig: Kubeconfig,
    chosen: Option<String>,
    allowed: Option<&str>,
) -> Result<(Existing, Access), StartError> {
    let context = allowed_context(&kubeconfig, chosen, allowed)?;
    kubeconfig.current_context = Some(context);
    let config = kube::Config::from_custom_kubeconfig(kubeconfig.clone(), &KubeConfigOptions::default())
        .await
        .map_err(|error| StartError::Kubeconfig(Box::new(error)))?;
    let server = config.cluster_url.clone();
    Ok((Existing { server }, Access::Impersonation(Box::new(config), Box::new(kubeconfig))))
}

fn allowed_context(
    kubeconfig: &Kubeconfig,
    chosen: Option<String>,
    allowed: Option<&str>,
) -> Result<String, StartError> {
    let context = chosen.or_else(|| kubeconfig.current_context.clone()).ok_or_else(|| {
        let reason = "the kubeconfig has no current context; name one with KUBE_TESTKIT_CONTEXT".into();
        StartError::Unavailable { backend: BackendChoice::Existing, reason }
    })?;
    if allowed == Some(context.as_str()) {
        Ok(context)
    } else {
        Err(StartError::ContextNotAllowed { context })
    }
}

impl Existing {
    fn unsupported(operation: &'static str) -> BoxFuture<'static, Result<(), OperationError>> {
        let backend = BackendChoice::Existing;
        let instead = "KUBE_TESTKIT_BACKEND=local or testcontainers";
        Box::pin(std::future::ready(Err(OperationError::Unsupported { backend, operation, instead })))
    }
}

impl Backend for Existing {
    fn choice(&self) -> BackendChoice {
        BackendChoice::Existing
    }

    fn server(&self) -> http::Uri {
        self.server.clone()
    }

    fn audit_log(&self) -> Option<PathBuf> {
        None
    }

    fn server_log(&self) -> Option<PathBuf> {
        None
    }

    fn dead(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(None))
    }

    fn restart(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Self::unsupported("restart its API server")
    }

    fn pause(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Self::unsupported("pause its API server")
    }

    fn resume(&self) -> BoxFuture<'_, Result<(), OperationError>> {
        Self::unsupported("resume its API server")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_has_to_be_allowed_by_its_very_name() {
        let kubeconfig = Kubeconfig { current_context: Some("production".into()), ..Kubeconfig::default() };
        for allowed in [None, Some(""), Some("prod"), Some("kind-kind")] {
            let error = allowed_context(&kubeconfig, None, allowed).unwrap_err();
            assert!(!error.is_unavailable(), "a refusal must not pass for a skip");
            assert!(error.to_string().contains("KUBE_TESTKIT_ALLOW_CONTEXT=production"), "{error}");
        }
        assert_eq!(allowed_context(&kubeconfig, None, Some("production")).unwrap(), "production");
        assert!(allowed_context(&kubeconfig, Some("other".into()), Some("production")).is_err());
    }
}
