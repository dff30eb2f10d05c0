//! Kinds from an OpenAPI document.
//!
//! Of a kind whose definition nobody has at hand (an aggregated API, another operator's kind on a cluster), a cluster still publishes the schema. From that a definition
//! can be made with which the embedded server serves the kind.

mod kinds;
mod node;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};

use self::{
    kinds::{Published, published},
    node::Schemas,
};

/// Why an OpenAPI document does not give definitions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenApiError {
    /// There are no schemas.
    #[error(
        "this is no OpenAPI document of an API server: it has neither `components.schemas` (v3) nor `definitions` (v2); \
         `kubectl get --raw /openapi/v3/apis/GROUP/VERSION` prints one"
    )]
    NoSchemas,
    /// No path of it creates objects of a kind.
    #[error(
        "the OpenAPI document has no kind that can be created: no path has a POST with `x-kubernetes-group-version-kind`"
    )]
    NoKinds,
    /// A kind has no schema.
    #[error("the OpenAPI document has no schema of {kind}")]
    NoSchemaOf {
        /// As `Kind.version.group`.
        kind: String,
    },
    /// What was made of a kind is no definition.
    #[error("the schema of {kind} cannot be that of a custom resource: {error}")]
    Unusable {
        /// As `Kind.version.group`.
        kind: String,
        /// What is wrong with it.
        error: String,
    },
}

/// The kinds of an OpenAPI document, as definitions that can be created on an [`EmbeddedServer`](crate::EmbeddedServer): v3 as
/// `kubectl get --raw /openapi/v3/apis/GROUP/VERSION` prints it, or v2 as `/openapi/v2` does.
///
/// Kinds of the core group (`v1`) are left out. Of a kind with several versions the most stable and newest is taken. A document of a whole cluster contains built-in kinds, too: filter by
/// `spec.group`.
///
/// ```
/// # let document = serde_json::json!({
/// #   "components": {"schemas": {"dev.certs.v1.Certificate": {
/// #     "type": "object",
/// #     "properties": {"spec": {"type": "object", "properties": {"host": {"type": "string"}}}},
/// #     "x-kubernetes-group-version-kind": [{"group": "certs.dev", "version": "v1", "kind": "Certificate"}],
/// #   }}},
/// #   "paths": {"/apis/certs.dev/v1/namespaces/{namespace}/certificates": {"post": {
/// #     "x-kubernetes-group-version-kind": {"group": "certs.dev", "version": "v1", "kind": "Certificate"},
/// #   }}},
/// # });
/// let definitions = embedded_apiserver::definitions_of_open_api(&document)?;
/// assert_eq!(definitions[0].metadata.name.as_deref(), Some("certificates.certs.dev"));
/// # Ok::<(), embedded_apiserver::OpenApiError>(())
/// ```
///
/// # What a document does not say
///
/// Printer columns, short names and selectable fields are missing. v3 has defaults and CEL rules, and v2 has not. The fields of a scale subresource are taken to be
/// `spec.replicas`, `status.replicas` and `status.selector`. A schema that refers to itself is cut off there: below, any field is kept.
///
/// # Errors
///
/// If it is no such document, or a kind in it cannot be served.
pub fn definitions_of_open_api(document: &Value) -> Result<Vec<CustomResourceDefinition>, OpenApiError> {
    let schemas = Schemas::of(document).ok_or(OpenApiError::NoSchemas)?;
    let published = published(document);
    if published.is_empty() {
        return Err(OpenApiError::NoKinds);
    }
    published.iter().map(|kind| definition(kind, &schemas)).collect()
}

fn definition(
    published: &Published,
    schemas: &Schemas<'_>,
) -> Result<CustomResourceDefinition, OpenApiError> {
    let Published { group, version, kind, plural, namespaced, status, scale } = published;
    let named = || format!("{kind}.{version}.{group}");
    let schema =
        schemas.of_kind(group, version, kind).ok_or_else(|| OpenApiError::NoSchemaOf { kind: named() })?;
    let mut subresources = json!({});
    if *status {
        subresources["status"] = json!({});
    }
    if *scale {
        subresources["scale"] = json!({
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        });
    }
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "scope": if *namespaced { "Namespaced" } else { "Cluster" },
            "names": {
                "kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List"),
            },
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": schema},
                "subresources": subresources,
            }],
        },
    });
    serde_json::from_value(definition)
        .map_err(|error| OpenApiError::Unusable { kind: named(), error: error.to_string() })
}
