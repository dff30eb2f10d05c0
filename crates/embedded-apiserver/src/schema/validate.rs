//! The limits in the schema of a custom resource, in the words of go-openapi, which kube-apiserver uses.

use serde_json::Value;

use super::format::is_date_time;
use super::{Checks, Relation, Scalar, Schema, Shape};
use crate::fault::Fault;

/// Every fault of the value, but for those of parts that an update of `old` leaves as they are (ratcheting, KEP-4008). `path` is empty for
/// the whole object.
pub(crate) fn validate(schema: &Schema, value: &Value, old: Option<&Value>, path: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    check(schema, value, old, path, &mut faults);
    // Lists are judged as a whole: an object that has two items of one key may go on with them, or get others.
    let mut earlier = Vec::new();
    if let Some(old) = old {
        duplicates(schema, old, path, &mut earlier);
    }
    if earlier.is_empty() {
        duplicates(schema, value, path, &mut faults);
    }
    faults
}

fn check(schema: &Schema, value: &Value, old: Option<&Value>, path: &str, faults: &mut Vec<Fault>) {
    // What is unchanged has been accepted before.
    if old == Some(value) || value.is_null() && (schema.nullable || path.is_empty()) {
        return;
    }
    match (&schema.shape, value) {
        (Shape::Any, _) => {}
        (Shape::Object(object), Value::Object(fields)) => {
            // Told alone, as go-openapi stops there.
            if let Some(fault) = properties(schema, fields.len() as u64, value, path) {
                faults.push(fault);
                return;
            }
            for (name, field) in fields {
                // Metadata is judged by rules of its own.
                if let Some(child) = schema.field(name).filter(|_| !(path.is_empty() && name == "metadata")) {
                    check(child, field, old.and_then(|old| old.get(name)), &join(path, name), faults);
                }
            }
            for name in &object.required {
                if !fields.contains_key(name) {
                    faults.push(Fault::required(join(path, name), ""));
                }
            }
        }
        (Shape::List(list), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                let old = old.and_then(|old| counterpart(&list.relation, item, old));
                check(&list.items, item, old, &format!("{path}[{index}]"), faults);
            }
            count(schema, items.len() as u64, value, path, faults);
        }
        (Shape::Scalar(scalar), value) if fits(*scalar, value) => limits(schema, value, path, faults),
        (shape, value) => faults.push(wrong_type(shape, value, path)),
    }
}

/// The item of an older list that this one stands for: the one with its key. Items of other lists are not compared.
fn counterpart<'a>(relation: &Relation, item: &Value, old: &'a Value) -> Option<&'a Value> {
    let Relation::Map(keys) = relation else { return None };
    let same = |other: &&Value| keys.iter().all(|key| other[key] == item[key]);
    old.as_array()?.iter().find(same)
}

/// Whether the part at this path (`a.b[0].c`) is what it was.
pub(crate) fn is_unchanged(schema: &Schema, value: &Value, old: &Value, path: &str) -> bool {
    let steps = path.split(['.', '[']).filter(|step| !step.is_empty());
    let mut here = Some((schema, value, old));
    for step in steps {
        here = here.and_then(|(schema, value, old)| match (&schema.shape, step.strip_suffix(']')) {
            (Shape::List(list), Some(index)) => {
                let item = value.get(index.parse::<usize>().ok()?)?;
                Some((list.items.as_ref(), item, counterpart(&list.relation, item, old)?))
            }
            (Shape::Object(_), None) => Some((schema.field(step)?, value.get(step)?, old.get(step)?)),
            _ => None,
        });
    }
    here.is_some_and(|(_, value, old)| value == old)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn fits(scalar: Scalar, value: &Value) -> bool {
    match scalar {
        Scalar::String => value.is_string(),
        Scalar::Integer => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Scalar::Number => value.is_number(),
        Scalar::Boolean => value.is_boolean(),
        Scalar::IntOrString => value.is_string() || value.is_i64() || value.is_u64(),
    }
}

fn wrong_type(shape: &Shape, value: &Value, path: &str) -> Fault {
    let wanted = match shape {
        Shape::Any => "any",
        Shape::Object(_) => "object",
        Shape::List(_) => "array",
        Shape::Scalar(Scalar::String) => "string",
        Shape::Scalar(Scalar::Integer) => "integer",
        Shape::Scalar(Scalar::Number) => "number",
        Shape::Scalar(Scalar::Boolean) => "boolean",
        Shape::Scalar(Scalar::IntOrString) => "integer,string",
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let detail = format!("Invalid value: {found:?}: {path} in body must be of type {wanted}: {found:?}");
    Fault::of("FieldValueTypeInvalid", path, detail)
}

fn limits(schema: &Schema, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    let checks = &schema.checks;
    let mut bad =
        |detail: String| faults.push(Fault::invalid(path, value, &format!("{path} in body {detail}")));
    if let Some(number) = value.as_f64() {
        if let Some(minimum) = checks.minimum.filter(|minimum| number < *minimum) {
            bad(format!("should be greater than or equal to {minimum}"));
        }
        if let Some(maximum) = checks.maximum.filter(|maximum| number > *maximum) {
            bad(format!("should be less than or equal to {maximum}"));
        }
    }
    if let Some(text) = value.as_str() {
        faults.extend(text_fault(checks, value, text, path));
        faults.extend(format_fault(checks, text, path));
    }
    if !checks.allowed.is_empty() && !checks.allowed.contains(value) {
        let known: Vec<String> = checks.allowed.iter().map(ToString::to_string).collect();
        let detail = format!("Unsupported value: {value}: supported values: {}", known.join(", "));
        faults.push(Fault::of("FieldValueNotSupported", path, detail));
    }
}

/// The first only, as go-openapi stops there.
fn text_fault(checks: &Checks, value: &Value, text: &str, path: &str) -> Option<Fault> {
    let length = text.chars().count() as u64;
    if let Some(most) = checks.max_length.filter(|most| length > *most) {
        let detail = format!("Too long: may not be more than {most} bytes");
        return Some(Fault::of("FieldValueTooLong", path, detail));
    }
    let bad = |detail: String| Some(Fault::invalid(path, value, &format!("{path} in body {detail}")));
    if let Some(least) = checks.min_length.filter(|least| length < *least) {
        return bad(format!("should be at least {least} chars long"));
    }
    if let Some((pattern, _)) = checks.pattern.as_ref().filter(|(_, regex)| !regex.is_match(text)) {
        return bad(format!("should match '{pattern}'"));
    }
    None
}

/// Told beside the other limits: go-openapi has a validator of its own for formats.
fn format_fault(checks: &Checks, text: &str, path: &str) -> Option<Fault> {
    let bad = checks.format.as_deref() == Some("date-time") && !is_date_time(text);
    let detail = || format!("Invalid value: {text:?}: {path} in body must be of type date-time: {text:?}");
    bad.then(|| Fault::of("FieldValueTypeInvalid", path, detail()))
}

fn count(schema: &Schema, count: u64, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    if let Some(least) = schema.checks.min_items.filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} items");
        faults.push(Fault::invalid(path, value, &detail));
    }
    if let Some(most) = schema.checks.max_items.filter(|most| count > *most) {
        let detail = format!("Too many: {count}: must have at most {most} items");
        faults.push(Fault::of("FieldValueTooMany", path, detail));
    }
}

fn properties(schema: &Schema, count: u64, value: &Value, path: &str) -> Option<Fault> {
    if let Some(least) = schema.checks.min_properties.filter(|least| count < *least) {
        let detail = format!("{path} in body should have at least {least} properties");
        return Some(Fault::invalid(path, value, &detail));
    }
    let most = schema.checks.max_properties.filter(|most| count > *most)?;
    let detail = format!("Too many: {count}: must have at most {most} items");
    Some(Fault::of("FieldValueTooMany", path, detail))
}

fn duplicates(schema: &Schema, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    match (&schema.shape, value) {
        (Shape::Object(_), Value::Object(fields)) => {
            for (name, field) in fields {
                if let Some(child) = schema.field(name).filter(|_| !(path.is_empty() && name == "metadata")) {
                    duplicates(child, field, &join(path, name), faults);
                }
            }
        }
        (Shape::List(list), Value::Array(items)) => {
            repeated(&list.relation, items, path, faults);
            for (index, item) in items.iter().enumerate() {
                duplicates(&list.items, item, &format!("{path}[{index}]"), faults);
            }
        }
        _ => {}
    }
}

fn repeated(relation: &Relation, items: &[Value], path: &str, faults: &mut Vec<Fault>) {
    let key = |item: &Value| match relation {
        Relation::Atomic => None,
        Relation::Set => Some(item.clone()),
        Relation::Map(keys) => Some(keys.iter().map(|key| (key.clone(), item[key].clone())).collect()),
    };
    for (index, item) in items.iter().enumerate() {
        if let Some(this) =
            key(item).filter(|this| items[..index].iter().any(|other| key(other).as_ref() == Some(this)))
        {
            let detail = format!("Duplicate value: {this}");
            faults.push(Fault::of("FieldValueDuplicate", format!("{path}[{index}]"), detail));
        }
    }
}
