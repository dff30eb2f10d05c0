//! The definition, without what the derives permit and the types do not take.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::Memcached;

/// `date-time` alone permits more than a time: an offset of `+99:99`, and years for which clients have no timestamp.
const TIME: &str = r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$";

/// The custom resource definition.
///
/// Whatever it accepts, the types decode. So nothing in it is `nullable`: the API server then drops an explicit null, such
/// as an empty Helm value leaves behind, before it stores the object.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = Memcached::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            narrow(schema);
        }
    }
    definition
}

fn narrow(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if schema.format.as_deref() == Some("date-time") && schema.pattern.is_none() {
        schema.pattern = Some(TIME.to_owned());
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(narrow);
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => narrow(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(narrow),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        narrow(values);
    }
}
