//! JSON patch (RFC 6902) as kube-apiserver carries it out, by the `json-patch` library of Go, which is laxer than the RFC.

use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::Value;

/// The operations cannot be carried out, or a test does not hold.
#[derive(Debug)]
pub(crate) struct Inapplicable;

/// Lays the operations over the object, one after another.
///
/// Two things differ from the RFC, for members of an object that is there: a `test` for null holds where the member is absent
/// (by which kube's `finalizer()` makes sure to be the first), and a `replace` of an absent member adds it.
pub(crate) fn patch(object: &mut Value, operations: &Patch) -> Result<(), Inapplicable> {
    for operation in &operations.0 {
        let operation = match operation {
            PatchOperation::Test(test) if test.value.is_null() && is_absent(object, test.path.as_str()) => {
                continue;
            }
            PatchOperation::Replace(replace) if is_absent(object, replace.path.as_str()) => {
                let add = AddOperation { path: replace.path.clone(), value: replace.value.clone() };
                PatchOperation::Add(add)
            }
            operation => operation.clone(),
        };
        json_patch::patch(object, &[operation]).map_err(|_| Inapplicable)?;
    }
    Ok(())
}

/// Whether the object that the path leads into is there, and has no such member.
fn is_absent(object: &Value, path: &str) -> bool {
    let parent = path.rsplit_once('/').and_then(|(parent, _)| object.pointer(parent));
    parent.is_some_and(Value::is_object) && object.pointer(path).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(operations: Value) -> Option<Value> {
        let mut object = json!({"a": {"b": null}, "l": []});
        patch(&mut object, &serde_json::from_value(operations).expect("operations")).ok()?;
        Some(object)
    }

    #[test]
    fn absent_members_are_null() {
        let unchanged = Some(json!({"a": {"b": null}, "l": []}));
        for path in ["/a/b", "/a/c", "/x"] {
            assert_eq!(patched(json!([{"op": "test", "path": path, "value": null}])), unchanged, "{path}");
        }
        for path in ["/x/y", "/l/0", "/l"] {
            assert_eq!(patched(json!([{"op": "test", "path": path, "value": null}])), None, "{path}");
        }
        assert_eq!(patched(json!([{"op": "test", "path": "/a/c", "value": 1}])), None);
    }
}
