//! What all writes have in common: reading the body, and putting objects into the form in which they are kept.

use serde_json::{Map, Value, json};

use super::{Call, Machine};
use crate::cel::check_rules;
use crate::fault::Fault;
use crate::protobuf;
use crate::refusal::Refusal;
use crate::request::{content_type, field_manager, json_body};
use crate::resource::{NameRule, ResourceType};
use crate::schema::{Schema, Shape, apply_defaults, decode, tidy_metadata, validate};
use crate::{kinds, ownership::Manager, ownership::Operation};

impl Machine {
    /// The object in the body.
    pub(super) fn body(call: &Call<'_>) -> Result<Value, Refusal> {
        let kind = &call.kind;
        let unrecognized = |why: &str| {
            Refusal::bad_request(&format!(
                "the object provided is unrecognized (must be of type {}): {why}",
                kind.kind
            ))
        };
        let object = match content_type(call.request) {
            "application/json" => json_body(call.request).map_err(|error| {
                unrecognized(&format!("couldn't get version/kind; json parse error: {error}"))
            })?,
            protobuf::MEDIA => protobuf::object(call.request.body())?,
            "application/yaml" => return Err(Refusal::not_supported("bodies in YAML")),
            _ => return Err(Refusal::unknown_format()),
        };
        if kind.custom.is_some() && object.get("kind").is_none() {
            return Err(unrecognized("Object 'Kind' is missing"));
        }
        for (field, wanted) in [("kind", kind.kind.clone()), ("apiVersion", kind.api_version())] {
            if object.get(field).is_some_and(|found| *found != json!(wanted) && *found != json!("")) {
                let version = object["apiVersion"].as_str().unwrap_or_default();
                let found = object["kind"].as_str().unwrap_or_default();
                return Err(Refusal::bad_request(&format!(
                    "{found} in version {version:?} cannot be handled as a {}: no kind {found:?} is registered for \
                     version {version:?}",
                    kind.kind
                )));
            }
        }
        if call.query.get("fieldValidation") == Some("Strict") {
            Self::refuse_unknown_fields(kind, &object)?;
        }
        Self::decode(kind, object)
    }

    /// `fieldValidation=Strict`: what decoding would drop is an error.
    fn refuse_unknown_fields(kind: &ResourceType, object: &Value) -> Result<(), Refusal> {
        let mut unknown = Vec::new();
        unknown_fields(&kind.schema, &kinds::to_internal(kind, object.clone()), "", &mut unknown);
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Refusal::bad_request(&format!(
            "{} in version {:?} cannot be handled as a {}: strict decoding error: {}",
            kind.kind,
            kind.version,
            kind.kind,
            unknown.join(", ")
        )))
    }

    /// The object as its type takes it, with defaults.
    pub(super) fn decode(kind: &ResourceType, object: Value) -> Result<Value, Refusal> {
        let unreadable = |why: String| {
            let version = &kind.version;
            Refusal::bad_request(&format!(
                "{} in version {version:?} cannot be handled as a {}: {why}",
                kind.kind, kind.kind
            ))
        };
        let mut object = kinds::to_internal(kind, object);
        if !object.is_object() {
            return Err(unreadable("it is no object".into()));
        }
        if kind.plural == "customresourcedefinitions" {
            tidy_metadata(&mut object).map_err(unreadable)?;
        } else {
            let is_custom = kind.custom.is_some();
            object = decode(&kind.schema, object, "", !is_custom).map_err(unreadable)?;
            if is_custom {
                if object.get("metadata").is_none() {
                    object["metadata"] = json!({});
                }
                apply_defaults(&kind.schema, &mut object);
            }
        }
        object["apiVersion"] = json!(kind.api_version());
        object["kind"] = json!(kind.kind);
        kinds::set_defaults(kind, &mut object);
        Ok(object)
    }

    /// The object that a new one is compared with to find what its creator owns.
    pub(super) fn nothing(kind: &ResourceType) -> Value {
        if kind.custom.is_some() || kind.plural == "customresourcedefinitions" {
            return json!({"apiVersion": kind.api_version(), "kind": kind.kind});
        }
        decode(&kind.schema, Value::Object(Map::new()), "", true).expect("an empty object is of every type")
    }

    /// Who writes.
    pub(super) fn manager(call: &Call<'_>, operation: Operation) -> Manager {
        let api_version = match operation {
            Operation::Apply => String::new(),
            Operation::Update => call.kind.api_version(),
        };
        Manager {
            operation,
            name: field_manager(call.request, &call.query),
            subresource: call.place.subresource.clone().unwrap_or_default(),
            api_version,
        }
    }

    pub(super) fn is_dry_run(call: &Call<'_>) -> Result<bool, Refusal> {
        match call.query.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Refusal::bad_request(&format!("invalid dryRun option {other:?}"))),
        }
    }

    /// Refuses an object that is not valid. An update of the status is judged by the status alone.
    pub(super) fn validate(
        kind: &ResourceType,
        object: &Value,
        old: Option<&Value>,
        subresource: Option<&str>,
    ) -> Result<(), Refusal> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let mut faults = name_faults(kind, name);
        if let Some(old) = old {
            faults.extend(metadata_faults(kind, object, old));
        }
        match &kind.custom {
            Some(custom) => {
                let found = match kind.schema.field("status") {
                    Some(schema) if subresource == Some("status") => status_faults(schema, object, old),
                    _ => validate(&kind.schema, object, old, ""),
                };
                let blocked = found.iter().any(Fault::blocks_rules);
                faults.extend(found);
                if blocked && custom.has_rules {
                    faults.push(Fault::of(
                        "FieldValueInvalid",
                        "<nil>",
                        "Invalid value: null: some validation rules were not checked because the object was invalid; \
                         correct the existing errors to complete validation"
                            .into(),
                    ));
                } else if custom.has_rules {
                    faults.extend(check_rules(custom, &kind.schema, object, old)?);
                }
            }
            None => faults.extend(kinds::validate(kind, object, old)),
        }
        if faults.is_empty() { Ok(()) } else { Err(Refusal::invalid(kind, name, &faults)) }
    }
}

/// The details name each field as of the status, which is all that the real server's validator sees.
fn status_faults(schema: &Schema, object: &Value, old: Option<&Value>) -> Vec<Fault> {
    let Some(status) = object.get("status") else { return Vec::new() };
    let old = old.and_then(|old| old.get("status"));
    validate(schema, status, old, "").into_iter().map(|fault| fault.under("status")).collect()
}

fn unknown_fields(schema: &Schema, value: &Value, path: &str, unknown: &mut Vec<String>) {
    match (&schema.shape, value) {
        (Shape::Object(object), Value::Object(fields)) => {
            for (name, field) in fields {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match schema.field(name) {
                    Some(child) => unknown_fields(child, field, &inner, unknown),
                    None if object.preserve => {}
                    None => unknown.push(format!("unknown field {inner:?}")),
                }
            }
        }
        (Shape::List(list), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                unknown_fields(&list.items, item, &format!("{path}[{index}]"), unknown);
            }
        }
        _ => {}
    }
}

fn metadata_faults(kind: &ResourceType, object: &Value, old: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (new, old) = (&object["metadata"], &old["metadata"]);
    if new["uid"] != old["uid"] {
        faults.push(Fault::invalid("metadata.uid", &new["uid"], "field is immutable"));
    }
    let finalizers = |metadata: &Value| metadata["finalizers"].as_array().cloned().unwrap_or_default();
    let before = finalizers(old);
    let added: Vec<Value> = finalizers(new).into_iter().filter(|one| !before.contains(one)).collect();
    if old.get("deletionTimestamp").is_some() && !added.is_empty() {
        let added: Vec<String> = added.iter().map(ToString::to_string).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        let fault = Fault::forbidden("metadata.finalizers", &detail);
        // Custom resources are validated twice over, and the real server says so.
        faults.extend(std::iter::repeat_n(fault, if kind.custom.is_some() { 2 } else { 1 }));
    }
    faults
}

fn name_faults(kind: &ResourceType, name: &str) -> Vec<Fault> {
    if name.is_empty() {
        return vec![Fault::required("metadata.name", "name or generateName is required")];
    }
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let label = |part: &str| {
        part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && part.chars().all(|c| alphanumeric(c) || c == '-')
    };
    let (fine, longest, rule) = match kind.traits.name {
        NameRule::Subdomain => (name.split('.').all(label), 253, SUBDOMAIN),
        NameRule::Label => (label(name), 63, LABEL),
        NameRule::PathSegment => match path_segment_problem(name) {
            Some(problem) => (false, usize::MAX, problem),
            None => (true, usize::MAX, ""),
        },
    };
    let mut faults = Vec::new();
    if name.len() > longest {
        let detail = format!("must be no more than {longest} bytes");
        faults.push(Fault::invalid("metadata.name", &json!(name), &detail));
    }
    if !fine {
        faults.push(Fault::invalid("metadata.name", &json!(name), rule));
    }
    faults
}

/// What keeps a name from being a part of a path.
fn path_segment_problem(name: &str) -> Option<&'static str> {
    match name {
        "." => Some("may not be '.'"),
        ".." => Some("may not be '..'"),
        name if name.contains('/') => Some("may not contain '/'"),
        name if name.contains('%') => Some("may not contain '%'"),
        _ => None,
    }
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
