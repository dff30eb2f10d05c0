//! A resource as the API server sent it, whether or not it can be decoded.
//!
//! The API server and the types of an operator do not always agree: a CRD may be newer or older than the operator, and
//! formats such as `date-time` permit values that a parser refuses. If a list is decoded as a whole, one such object makes
//! it fail. So objects are decoded one by one.

use std::{borrow::Cow, fmt};

use kube::{
    Api, Client, Resource,
    core::{DynamicResourceScope, ObjectMeta},
};
use lease_core::broken;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;

use crate::{
    kind_type::{KindType, TypeInformation},
    sharded::{ShardedObject, bucket_in_status},
};

/// The maximum length of a decoding error, which may quote a value.
const LONGEST_ERROR: usize = 300;

/// A resource of type `K`, or an object that does not decode as one. An `Api<Lenient<K>>` sends the same requests as an
/// `Api<K>`. It is made with [`Api::namespaced_with`](kube::Api::namespaced_with) or [`Api::all_with`](kube::Api::all_with), because it does not know at compile
/// time whether `K` is namespaced.
#[derive(Clone, Debug)]
pub enum Lenient<K> {
    /// The object decodes.
    Decoded(K),
    /// The object does not decode.
    Undecodable(Box<Undecodable>),
}

/// An object that cannot be decoded as a resource of its type.
#[derive(Clone)]
pub struct Undecodable {
    metadata: ObjectMeta,
    object: Value,
    error: String,
}

impl Undecodable {
    /// What stands in a list for an object that does not decode. An error refuses the whole list.
    fn of(object: Value, error: String) -> Result<Self, String> {
        broken!(OneBadObjectStopsTheList => Err(error));
        let metadata = metadata(&object).ok_or("an object without a name")?;
        Ok(Self { metadata, object, error: shortened(error) })
    }

    /// What is kept of an object whose type cannot be written as JSON.
    pub(crate) fn unwritable(metadata: ObjectMeta, error: &serde_json::Error) -> Self {
        let error = shortened(format!("its type cannot be written as JSON: {error}"));
        Self { metadata, object: Value::Null, error }
    }

    /// The metadata, which has the same form for all types.
    pub fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    /// The object as JSON.
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// Where decoding fails, and why: `spec.resources.limits.cpu: invalid type: null, expected Quantity`.
    pub fn error(&self) -> &str {
        &self.error
    }
}

/// Does not print the object, because logs may be read by people who may not read the object.
impl fmt::Debug for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metadata, object: _, error } = self;
        let (namespace, name) = (&metadata.namespace, &metadata.name);
        f.debug_struct("Undecodable")
            .field("namespace", namespace)
            .field("name", name)
            .field("error", error)
            .finish_non_exhaustive()
    }
}

impl<K: Resource<DynamicType: TypeInformation>> Lenient<K> {
    /// The objects of a kind in one namespace, or those in all namespaces, or those that are in none.
    pub(crate) fn api(kind: &KindType, client: Client, namespace: Option<&str>) -> Api<Self> {
        let information = kind.information();
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &information),
            None => Api::all_with(client, &information),
        }
    }
}

impl<K: ShardedObject> Lenient<K> {
    /// `status.bucket`, also of objects that do not decode.
    pub(crate) fn recorded_bucket(&self) -> Option<u8> {
        match self {
            Self::Decoded(object) => object.bucket_in_status(),
            Self::Undecodable(object) => bucket_in_status(&object.object),
        }
    }
}

impl<K> From<K> for Lenient<K> {
    fn from(object: K) -> Self {
        Self::Decoded(object)
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Lenient<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        match serde_path_to_error::deserialize(&object) {
            Ok(decoded) => Ok(Self::Decoded(decoded)),
            Err(error) => {
                let undecodable = Undecodable::of(object, error.to_string()).map_err(D::Error::custom)?;
                Ok(Self::Undecodable(Box::new(undecodable)))
            }
        }
    }
}

impl<K: Resource> Resource for Lenient<K> {
    type DynamicType = K::DynamicType;
    type Scope = DynamicResourceScope;

    fn kind(information: &K::DynamicType) -> Cow<'_, str> {
        K::kind(information)
    }

    fn group(information: &K::DynamicType) -> Cow<'_, str> {
        K::group(information)
    }

    fn version(information: &K::DynamicType) -> Cow<'_, str> {
        K::version(information)
    }

    fn api_version(information: &K::DynamicType) -> Cow<'_, str> {
        K::api_version(information)
    }

    fn plural(information: &K::DynamicType) -> Cow<'_, str> {
        K::plural(information)
    }

    fn metadata_api() -> bool {
        K::metadata_api()
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Decoded(object) => object.meta(),
            Self::Undecodable(object) => &object.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Decoded(object) => object.meta_mut(),
            Self::Undecodable(object) => &mut object.metadata,
        }
    }
}

/// The metadata. If the metadata themselves do not decode, the part that identifies the object and its state.
fn metadata(object: &Value) -> Option<ObjectMeta> {
    let metadata = object.get("metadata")?;
    ObjectMeta::deserialize(metadata).ok().or_else(|| {
        let text = |field: &str| metadata.get(field).and_then(Value::as_str).map(str::to_owned);
        let labels = metadata.get("labels").and_then(|labels| Deserialize::deserialize(labels).ok());
        let finalizers = metadata.get("finalizers").and_then(|names| Deserialize::deserialize(names).ok());
        text("name").map(|name| ObjectMeta {
            name: Some(name),
            namespace: text("namespace"),
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            labels,
            finalizers,
            ..ObjectMeta::default()
        })
    })
}

fn shortened(mut error: String) -> String {
    if let Some((end, _)) = error.char_indices().nth(LONGEST_ERROR) {
        error.truncate(end);
        error.push('…');
    }
    error
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        ResourceExt,
        core::{ObjectList, WatchEvent},
    };
    use serde_json::json;

    use super::*;

    fn object(name: &str, data: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": data,
            "metadata": {"name": name, "namespace": "ns", "uid": "u", "resourceVersion": "7"},
        })
    }

    #[test]
    fn one_object_of_a_list_hides_no_other() {
        let list = json!({
            "apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "9"},
            "items": [object("a", &json!({"x": "1"})), object("b", &json!({"x": 1})), object("c", &json!({}))],
        });
        let list: ObjectList<Lenient<ConfigMap>> = serde_json::from_value(list).unwrap();
        let names: Vec<_> =
            list.items.iter().map(|item| (item.name_any(), matches!(item, Lenient::Decoded(_)))).collect();
        assert_eq!(names, [("a".into(), true), ("b".into(), false), ("c".into(), true)]);
    }

    #[test]
    fn the_error_says_where_and_the_debug_print_says_nothing_else_of_the_object() {
        let event = json!({"type": "ADDED", "object": object("b", &json!({"secret": "s3cret", "x": null}))});
        let event: WatchEvent<Lenient<ConfigMap>> = serde_json::from_value(event).unwrap();
        let WatchEvent::Added(Lenient::Undecodable(found)) = event else { panic!("{event:?}") };
        assert_eq!(found.error(), "data.x: invalid type: null, expected a string");
        assert_eq!(found.metadata().resource_version.as_deref(), Some("7"));
        assert!(!format!("{found:?}").contains("s3cret"));
    }

    #[test]
    fn an_object_whose_metadata_is_odd_is_still_known_by_name_and_version() {
        let mut odd = object("a", &json!({}));
        odd["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00+99:99");
        odd["metadata"]["labels"] = json!({"b": "7"});
        let odd: Lenient<ConfigMap> = serde_json::from_value(odd).unwrap();
        assert!(matches!(odd, Lenient::Undecodable(_)));
        assert_eq!((odd.name_any().as_str(), odd.resource_version().as_deref()), ("a", Some("7")));
        assert_eq!(odd.labels().get("b").map(String::as_str), Some("7"));
    }
}
