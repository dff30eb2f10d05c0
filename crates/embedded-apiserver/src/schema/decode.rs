//! From what was sent to what is kept: unknown fields go, and values are written as Go's types would write them.

use std::fmt;

use serde_json::{Map, Value};

use super::{Scalar, Schema, Shape, Zero};

/// Takes a value as the type of this schema takes it; the error says which field cannot be read, and why.
///
/// `go` writes zero values as the Go types of built-in kinds do; custom resources keep what they are given.
pub(crate) fn decode(schema: &Schema, value: Value, path: &str, go: bool) -> Result<Value, String> {
    decode_at(schema, value, Path { before: None, name: path }, go)
}

/// Where a value stands. It is written out for errors only.
#[derive(Clone, Copy)]
struct Path<'a> {
    before: Option<&'a Path<'a>>,
    name: &'a str,
}

impl<'a> Path<'a> {
    fn is_root(self) -> bool {
        self.name.is_empty() && self.before.is_none()
    }

    /// The path of a field.
    fn field(&'a self, name: &'a str) -> Self {
        Path { before: (!self.is_root()).then_some(self), name }
    }

    fn is_in_metadata(self) -> bool {
        self.before.map_or_else(|| self.name.starts_with("metadata"), |before| before.is_in_metadata())
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(before) = self.before {
            write!(f, "{before}.")?;
        }
        f.write_str(self.name)
    }
}

fn decode_at(schema: &Schema, value: Value, path: Path<'_>, go: bool) -> Result<Value, String> {
    match (&schema.shape, value) {
        (Shape::Any, value) => Ok(value),
        (Shape::Object(object), Value::Object(fields)) => {
            let mut kept = Map::new();
            for (name, field) in fields {
                let Some(child) = schema.field(&name) else {
                    if object.preserve {
                        kept.insert(name, field);
                    }
                    continue;
                };
                let inner = path.field(&name);
                let is_written_by_go = go || inner.is_in_metadata();
                if field.is_null() {
                    if go && child.zero == Zero::Null || !is_written_by_go {
                        kept.insert(name, Value::Null);
                    }
                    continue;
                }
                let is_meta = path.is_root() && name == "metadata";
                let field = decode_at(child, field, inner, go || is_meta)?;
                if !(is_written_by_go && omitted(child, &field)) {
                    kept.insert(name, field);
                }
            }
            if go {
                for (name, child) in &object.properties {
                    if kept.contains_key(name) {
                        continue;
                    }
                    if let Some(zero) = zero_value(child, path, name) {
                        kept.insert(name.clone(), zero);
                    }
                }
            }
            Ok(Value::Object(kept))
        }
        (Shape::List(list), Value::Array(items)) => {
            let items = items.into_iter().map(|item| decode_at(&list.items, item, path, go));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        // A custom resource of the wrong type is refused by validation, which has better words for it.
        (_, value) if !go => Ok(shortest(value)),
        (Shape::Scalar(scalar), value) => match (scalar, &value) {
            (Scalar::String, Value::String(_))
            | (Scalar::Boolean, Value::Bool(_))
            | (Scalar::IntOrString, Value::String(_) | Value::Number(_))
            | (Scalar::Number, Value::Number(_)) => normal_time(schema, value, path),
            (Scalar::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => Ok(value),
            _ => Err(mismatch(&value, path, scalar)),
        },
        (_, value) => Err(mismatch(&value, path, "struct")),
    }
}

/// Go writes a floating-point number without a fraction as an integer: `2.0` becomes `2`.
fn shortest(value: Value) -> Value {
    /// Up to here each integer is a floating-point number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is an integer, and small enough")]
    match value.as_f64().filter(|number| value.is_f64() && number.fract() == 0.0 && number.abs() < EXACT) {
        Some(whole) => Value::from(whole as i64),
        None => value,
    }
}

/// Go reads times into a value and writes them again: `2026-01-01T00:00:00+02:00` becomes `…Z`.
fn normal_time(schema: &Schema, value: Value, path: Path<'_>) -> Result<Value, String> {
    if schema.checks.format.as_deref() != Some("date-time") {
        return Ok(value);
    }
    let text = value.as_str().unwrap_or_default();
    let time: jiff::Timestamp =
        text.parse().map_err(|error| format!("parsing time {text:?} at {path}: {error}"))?;
    let micro = ["acquireTime", "renewTime", "eventTime", "lastObservedTime"]
        .into_iter()
        .any(|field| path.name.ends_with(field));
    let text = if micro { format!("{time:.6}") } else { format!("{time:.0}") };
    Ok(Value::String(text))
}

fn mismatch(value: &Value, path: Path<'_>, wanted: impl std::fmt::Debug) -> String {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {found} into Go struct field {path} of type {wanted:?}").to_lowercase()
}

/// `omitempty`.
fn omitted(schema: &Schema, value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => {
            fields.is_empty()
                && schema.default.is_none()
                && matches!(&schema.shape, Shape::Object(object) if object.additional.is_some())
        }
        Value::String(text) => text.is_empty() && schema.zero == Zero::Omitted,
        Value::Number(number) => number.as_f64() == Some(0.0) && schema.zero == Zero::Omitted,
        Value::Bool(value) => !value && schema.zero == Zero::Omitted,
        Value::Null => false,
    }
}

/// What Go writes of a field that was never set.
fn zero_value(schema: &Schema, path: Path<'_>, name: &str) -> Option<Value> {
    if schema.zero == Zero::Null {
        return Some(Value::Null);
    }
    if schema.zero == Zero::Omitted {
        return None;
    }
    let default = schema.default.as_ref()?;
    match &schema.shape {
        Shape::Object(object) => {
            // A struct within the struct: written with its own zero values.
            let empty = Value::Object(Map::new());
            if object.properties.is_empty() {
                None
            } else {
                decode_at(schema, empty, path.field(name), true).ok()
            }
        }
        // The zero value of a number, string or bool; real defaults are the business of each kind.
        Shape::Scalar(_) => match default {
            Value::String(text) if text.is_empty() => Some(default.clone()),
            Value::Number(number) if number.as_f64() == Some(0.0) => Some(default.clone()),
            Value::Bool(false) => Some(default.clone()),
            _ => None,
        },
        Shape::Any | Shape::List(_) => None,
    }
}

/// Metadata as Go's `ObjectMeta` keeps it, in an object of whatever kind.
pub(crate) fn tidy_metadata(object: &mut Value) -> Result<(), String> {
    let metadata = object["metadata"].take();
    let metadata = if metadata.is_null() { Value::Object(Map::new()) } else { metadata };
    object["metadata"] = decode(&super::object_meta(), metadata, "metadata", true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::builtin;
    use super::*;
    use serde_json::json;

    fn decoded(definition: &str, value: Value) -> Value {
        decode(&builtin(definition), value, "", true).unwrap()
    }

    #[test]
    fn a_lease_keeps_an_empty_holder_and_always_has_a_spec() {
        let lease = decoded("coordination.v1.Lease", json!({"metadata": {"name": "a"}, "x": 1}));
        assert_eq!(lease, json!({"metadata": {"name": "a"}, "spec": {}}));
        let lease = decoded(
            "coordination.v1.Lease",
            json!({"metadata": {"labels": {}}, "spec": {"holderIdentity": "", "renewTime": "2026-01-01T02:00:00+02:00"}}),
        );
        assert_eq!(lease["spec"], json!({"holderIdentity": "", "renewTime": "2026-01-01T00:00:00.000000Z"}));
        assert_eq!(lease["metadata"], json!({}));
    }

    #[test]
    fn a_wrong_type_is_named() {
        let lease = json!({"spec": {"leaseDurationSeconds": "x"}});
        let error = decode(&builtin("coordination.v1.Lease"), lease, "", true).unwrap_err();
        assert!(error.contains("leasedurationseconds"), "{error}");
    }

    #[test]
    fn an_event_shows_its_zero_times() {
        let event = decoded("core.v1.Event", json!({"metadata": {"name": "a"}, "reason": ""}));
        assert_eq!(event["firstTimestamp"], Value::Null);
        assert_eq!((&event["involvedObject"], &event["source"]), (&json!({}), &json!({})));
        assert!(event.get("reason").is_none() && event.get("firstTimestamp").is_some());
    }
}
