//! CEL rules of custom resources, by the kube-cel library.

use kube_cel::{ErrorKind, ValidationError, compile_schema, validate_compiled};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::refusal::Refusal;
use crate::resource::Custom;
use crate::schema::{Schema, is_unchanged};

/// Every rule that the object breaks, but for those of parts that an update leaves as they are; an error if a rule uses what kube-cel
/// cannot do.
pub(crate) fn check_rules(
    custom: &Custom,
    schema: &Schema,
    object: &Value,
    old: Option<&Value>,
) -> Result<Vec<Fault>, Refusal> {
    // Of metadata, rules see the name and the generated part only.
    let (object, old) = (visible(object), old.map(visible));
    let rules = custom.rules.get_or_init(|| compile_schema(&custom.open_api));
    let Err(errors) = validate_compiled(rules, &object, old.as_ref()) else {
        return Ok(Vec::new());
    };
    // A rule that compares with the old state is judged all the same.
    let is_ratcheted = |error: &ValidationError| {
        let is_unchanged = |old| is_unchanged(schema, &object, old, &error.field_path);
        !error.rule.contains("oldSelf") && old.as_ref().is_some_and(is_unchanged)
    };
    errors
        .into_vec()
        .into_iter()
        .filter(|error| !is_ratcheted(error))
        .map(|error| match error.kind {
            ErrorKind::ValidationFailure => {
                let field = if error.field_path.is_empty() { "<nil>" } else { &error.field_path };
                let rule = find_rule(&custom.open_api, &error.rule);
                let reason = rule.and_then(|rule| rule["reason"].as_str()).unwrap_or("FieldValueInvalid");
                Ok(fault(reason, field, &error.message, &object))
            }
            _ => Err(Refusal::not_supported(&format!(
                "the CEL rule {:?} of a custom resource ({})",
                error.rule, error.message
            ))),
        })
        .collect()
}

fn fault(reason: &str, field: &str, message: &str, object: &Value) -> Fault {
    match reason {
        "FieldValueForbidden" => Fault::forbidden(field, message),
        "FieldValueRequired" => Fault::required(field, message),
        "FieldValueDuplicate" => {
            Fault::of("FieldValueDuplicate", field, format!("Duplicate value: {message}"))
        }
        _ => {
            Fault::of("FieldValueInvalid", field, format!("Invalid value: {}{message}", shown(field, object)))
        }
    }
}

/// The value that the message quotes, which for objects the real server leaves out.
fn shown(field: &str, object: &Value) -> String {
    let found = field.split('.').try_fold(object, |value, name| value.get(name));
    match found {
        Some(Value::Object(_) | Value::Array(_)) | None => String::new(),
        Some(value) => format!("{value}: "),
    }
}

fn visible(object: &Value) -> Value {
    let fields = object.as_object().into_iter().flatten().filter(|(name, _)| *name != "metadata");
    let mut visible: Value = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut metadata = json!({});
    for field in ["name", "generateName"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    visible["metadata"] = metadata;
    visible
}

fn find_rule<'a>(node: &'a Value, rule: &str) -> Option<&'a Value> {
    match node {
        Value::Object(fields) => {
            let rules = fields.get("x-kubernetes-validations").and_then(Value::as_array);
            let found = rules.into_iter().flatten().find(|candidate| candidate["rule"] == rule);
            found.or_else(|| fields.values().find_map(|child| find_rule(child, rule)))
        }
        Value::Array(items) => items.iter().find_map(|child| find_rule(child, rule)),
        _ => None,
    }
}
