//! What was replied, without what cannot be equal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use embedded_apiserver::Shape;
use serde_json::{Value, json};

use crate::script::Step;
use crate::session::Reply;

/// One request and its answer.
pub(crate) struct Entry {
    title: String,
    pub(crate) shape: Shape,
    roughly: bool,
    status: u16,
    body: Value,
    pub(crate) raw: String,
}

impl Entry {
    pub(crate) fn new(step: &Step, shape: Shape, reply: Reply) -> Self {
        let title = format!("line {}: {} {} {}", step.line, step.method, step.path, step.body);
        Self { title, shape, roughly: step.roughly, status: reply.status, body: reply.body, raw: reply.raw }
    }

    /// Takes out uids, times, versions and addresses.
    pub(crate) fn normalise(&mut self, namespace: &str) {
        let mut uids = BTreeMap::new();
        if let Value::Array(events) = &mut self.body {
            // When bookmarks come depends on the clock, but for the one that ends the initial events.
            events.retain(|event| {
                event["type"] != "BOOKMARK" || !event["object"]["metadata"]["annotations"].is_null()
            });
        }
        let is_list = self.body.get("items").is_some();
        walk(&mut self.body, "", namespace, &mut uids);
        if is_list {
            // Others write to the same server: a list's version says nothing.
            self.body["metadata"]["resourceVersion"] = json!("<list>");
        }
        if self.roughly {
            self.body = json!({"reason": self.body["reason"], "code": self.body["code"]});
        }
    }
}

fn walk(value: &mut Value, key: &str, namespace: &str, uids: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                walk(field, key, namespace, uids);
            }
            if let Some(entries) = fields.get_mut("managedFields").and_then(Value::as_array_mut) {
                // They are sorted by time, in seconds: which falls into the same one differs from run to run.
                entries.sort_by_key(|entry| {
                    ["operation", "manager", "subresource", "apiVersion"]
                        .map(|field| entry[field].to_string())
                });
            }
            for column in
                fields.get_mut("columnDefinitions").and_then(Value::as_array_mut).into_iter().flatten()
            {
                // Prose.
                column["description"] = json!("");
            }
            if let Some(causes) = fields.get_mut("causes").and_then(Value::as_array_mut) {
                // Conflicts come in the order of a Go map.
                causes.sort_by_key(ToString::to_string);
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, key, namespace, uids);
            }
        }
        Value::String(text) => {
            *text = match key {
                "resourceVersion" if text != "0" => "<version>".into(),
                "continue" if !text.is_empty() => "<token>".into(),
                "clusterIP" | "clusterIPs" if text != "None" => "<address>".into(),
                "cells" if text.strip_suffix('s').is_some_and(is_number) => "<age>".into(),
                _ => plain(text, namespace, uids),
            };
        }
        _ => {}
    }
}

fn plain(text: &str, namespace: &str, uids: &mut BTreeMap<String, usize>) -> String {
    let text = text.replace(namespace, "<ns>");
    let mut out = String::new();
    for word in split_keeping(&text) {
        if is_uid(word) {
            let count = uids.len();
            let number = *uids.entry(word.to_owned()).or_insert(count);
            let _ = write!(out, "<uid {number}>");
        } else if word.len() >= 20 && word.ends_with('Z') && word.parse::<jiff::Timestamp>().is_ok() {
            out.push_str(if word.contains('.') { "<micro time>" } else { "<time>" });
        } else if is_number(word)
            && ["(", "resource version: ", "current: "].iter().any(|before| out.ends_with(before))
        {
            out.push_str("<number>");
        } else {
            out.push_str(word);
        }
    }
    out
}

/// Words and what is between them.
fn split_keeping(text: &str) -> Vec<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
    let mut words = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (index, letter) in text.char_indices() {
        let now = inside(letter);
        if before.is_some_and(|before| before != now) {
            words.push(&text[start..index]);
            start = index;
        }
        before = Some(now);
    }
    words.push(&text[start..]);
    words
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit())
}

fn is_uid(word: &str) -> bool {
    let parts: Vec<usize> = word.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && word.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// Every difference, as text to read.
pub(crate) fn differences(script: &str, ours: &[Entry], theirs: &[Entry]) -> Vec<String> {
    let mut all = Vec::new();
    for (ours, theirs) in ours.iter().zip(theirs) {
        let mut found = Vec::new();
        if ours.status != theirs.status {
            found.push(format!("status {} instead of {}", ours.status, theirs.status));
        }
        compare("", &ours.body, &theirs.body, &mut found);
        if !found.is_empty() {
            all.push(format!("\n{script}, {}\n  {}", ours.title, found.join("\n  ")));
        }
    }
    all
}

fn compare(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(&format!("{path}/{key}"), a, b, found),
                    (Some(a), None) => found.push(format!("{path}/{key}: {a} should not be there")),
                    (None, Some(b)) => found.push(format!("{path}/{key}: {b} is missing")),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}/{index}"), a, b, found);
            }
        }
        (a, b) if a != b => found.push(format!("{path}: {a} instead of {b}")),
        _ => {}
    }
}
