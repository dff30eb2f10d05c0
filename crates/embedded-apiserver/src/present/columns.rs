//! Tables, as `kubectl get` prints them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age;
use crate::resource::ResourceType;

/// A column: its name, its type, its priority, and where its value is.
struct Column {
    name: String,
    kind: String,
    priority: i64,
    path: String,
}

/// Objects as rows.
pub(crate) fn table(
    kind: &ResourceType,
    objects: &[Value],
    metadata: &Value,
    now: Timestamp,
    include: &str,
) -> Value {
    let columns = columns(kind);
    let definitions: Vec<Value> = columns
        .iter()
        .map(|column| {
            let format = if column.name == "Name" { "name" } else { "" };
            // Built-in printers make text of times by themselves.
            let is_text = kind.custom.is_none() && column.kind == "date";
            let shown = if is_text { "string" } else { column.kind.as_str() };
            json!({
                "name": column.name, "type": shown, "format": format, "description": "",
                "priority": column.priority,
            })
        })
        .collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|column| cell(kind, column, object, now)).collect();
            let object = match include {
                "Object" => super::whole(kind, object).into_owned(),
                "None" => Value::Null,
                _ => json!(super::metadata(object)),
            };
            json!({"cells": cells, "object": object})
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    })
}

fn columns(kind: &ResourceType) -> Vec<Column> {
    let column = |name: &str, kind: &str, path: &str| Column {
        name: name.into(),
        kind: kind.into(),
        priority: 0,
        path: path.into(),
    };
    let mut columns = vec![column("Name", "string", ".metadata.name")];
    match (&kind.custom, kind.plural.as_str()) {
        (Some(custom), _) if !custom.columns.is_empty() => {
            columns.extend(custom.columns.iter().map(|extra| Column {
                name: extra["name"].as_str().unwrap_or_default().into(),
                kind: extra["type"].as_str().unwrap_or_default().into(),
                priority: extra["priority"].as_i64().unwrap_or_default(),
                path: extra["jsonPath"].as_str().unwrap_or_default().into(),
            }));
            return columns;
        }
        (None, "leases") => columns.push(column("Holder", "string", ".spec.holderIdentity")),
        (None, "namespaces") => columns.push(column("Status", "string", ".status.phase")),
        (None, "events") => {
            columns[0] = column("Last Seen", "date", ".lastTimestamp");
            for (name, path) in [
                ("Type", ".type"),
                ("Reason", ".reason"),
                ("Object", ".involvedObject.name"),
                ("Message", ".message"),
            ] {
                columns.push(column(name, "string", path));
            }
            return columns;
        }
        (None, "statefulsets") => columns.push(column("Ready", "string", "ready")),
        (None, "services") => {
            for (name, path) in [("Type", ".spec.type"), ("Cluster-IP", ".spec.clusterIP")] {
                columns.push(column(name, "string", path));
            }
        }
        _ => {}
    }
    columns.push(column("Age", "date", ".metadata.creationTimestamp"));
    columns
}

fn cell(kind: &ResourceType, column: &Column, object: &Value, now: Timestamp) -> Value {
    if column.path == "ready" {
        let ready = object["status"]["readyReplicas"].as_i64().unwrap_or_default();
        return json!(format!("{ready}/{}", object["spec"]["replicas"].as_i64().unwrap_or_default()));
    }
    let value = find(object, &column.path);
    match (column.kind.as_str(), value) {
        ("date", Some(value)) => json!(age(value, now)),
        ("string", Some(value)) if !value.is_string() => json!(value.to_string()),
        (_, Some(value)) => value.clone(),
        // The printers of built-in kinds have a field of text, those of a definition find nothing.
        ("string", None) if kind.custom.is_none() => json!(""),
        (_, None) => Value::Null,
    }
}

/// The JSON paths of printer columns: fields, with a backslash before each dot of a name, and items of a list by the value of one field.
fn find<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    let mut rest = path.trim_start_matches('.');
    while !rest.is_empty() {
        let end = end_of_name(rest);
        if end > 0 {
            value = value.get(rest[..end].replace("\\.", "."))?;
        }
        rest = &rest[end..];
        if let Some(filter) = rest.strip_prefix("[?(@.") {
            let (condition, after) = filter.split_once(")]")?;
            let (field, wanted) = condition.split_once("==")?;
            let wanted = wanted.trim_matches(['"', '\'']);
            value = value.as_array()?.iter().find(|item| item[field] == wanted)?;
            rest = after;
        }
        rest = rest.trim_start_matches('.');
    }
    Some(value)
}

fn end_of_name(path: &str) -> usize {
    let is_end = |at: usize, found: &str| found == "[" || !path[..at].ends_with('\\');
    path.match_indices(['.', '[']).find(|(at, found)| is_end(*at, found)).map_or(path.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_conditions_are_followed() {
        let object =
            json!({"status": {"conditions": [{"type": "A", "status": "x"}, {"type": "B", "status": "y"}]}});
        assert_eq!(find(&object, r#".status.conditions[?(@.type=="B")].status"#), Some(&json!("y")));
        assert_eq!(find(&object, ".status.none"), None);
        let object = json!({"metadata": {"labels": {"example.com/bucket": "7"}}});
        assert_eq!(find(&object, r".metadata.labels.example\.com/bucket"), Some(&json!("7")));
    }
}
