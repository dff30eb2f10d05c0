//! Kinds beyond those that an API server has of itself.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};

/// Longer than any API server takes to accept a definition.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);

/// Why kinds could not be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddKindsError {
    /// The API server refused a definition.
    #[error("the definition {name} was refused: {error}")]
    Refused {
        /// The name of the `CustomResourceDefinition`.
        name: String,
        /// The API server's answer.
        error: Box<kube::Error>,
    },
    /// The API server has the definition and does not serve the kind.
    #[error(
        "the definition {name} was not established: {reason}; its conditions say why, such as names that another definition has"
    )]
    NotEstablished {
        /// The name of the `CustomResourceDefinition`.
        name: String,
        /// What was waited for, or why it could not be.
        reason: String,
    },
}

/// Creates or updates the definitions, by server-side apply, and waits until the API server serves each kind.
pub(crate) async fn add(
    client: Client,
    definitions: &[CustomResourceDefinition],
) -> Result<(), AddKindsError> {
    let api: Api<CustomResourceDefinition> = Api::all(client);
    let params = PatchParams::apply("kube-testkit").force();
    for definition in definitions {
        let name = definition.name_any();
        if let Err(error) = api.patch(&name, &params, &Patch::Apply(definition)).await {
            return Err(AddKindsError::Refused { name, error: Box::new(error) });
        }
        let established = await_condition(api.clone(), &name, is_crd_established());
        let reason = match tokio::time::timeout(ESTABLISHED_WITHIN, established).await {
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("waited {ESTABLISHED_WITHIN:?}"),
        };
        return Err(AddKindsError::NotEstablished { name, reason });
    }
    Ok(())
}
