//! The definition, without what the derives permit and the types do not take.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::Memcached;

/// A time for which clients have a timestamp: a day of the calendar, in a year from 1000 to 2999, with an offset of less than a day.
///
/// `format: date-time` is no substitute: it permits an offset of `+99:99`, and the API server does not look at the type of
/// a value that has a format, so that a list is accepted in place of the text.
const TIME: &str = concat!(
    "^(",
    r"[12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))",
    r"|([12][0-9](0[48]|[2468][048]|[13579][26])|(12|16|20|24|28)00)-02-29",
    ")",
    r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
);

/// The largest integer up to which a JSON number is exact everywhere, and so the largest that a bound can say exactly.
const LARGEST_INTEGER: f64 = 9_007_199_254_740_991.0;

/// The custom resource definition.
///
/// Whatever it accepts, the types decode. So nothing in it is `nullable`: the API server then drops an explicit null, such
/// as an empty Helm value leaves behind, before it stores the object. And integers have bounds: what `format: int32`
/// refuses, kube-apiserver refuses without naming the number, and other servers may not.
pub fn definition() -> CustomResourceDefinition {
    let mut definition = Memcached::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            narrow(schema);
        }
    }
    definition
}

fn bound(schema: &mut JSONSchemaProps, least: f64, most: f64) {
    schema.minimum.get_or_insert(least);
    schema.maximum.get_or_insert(most);
}

fn narrow(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    match schema.format.as_deref() {
        Some("date-time") => {
            schema.format = None;
            schema.pattern.get_or_insert_with(|| TIME.to_owned());
        }
        Some("int32") => bound(schema, f64::from(i32::MIN), f64::from(i32::MAX)),
        Some("int64") => bound(schema, -LARGEST_INTEGER, LARGEST_INTEGER),
        _ => {}
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
