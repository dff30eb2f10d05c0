//! Label and field selectors.

use std::collections::BTreeSet;

use serde_json::Value;

use super::refusal::Refusal;
use super::resource::ResourceType;

/// Which objects are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) namespace: Option<String>,
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    demand: Demand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Demand {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Selection {
    /// Reads the selectors of a request.
    pub(crate) fn new(
        kind: &ResourceType,
        namespace: Option<String>,
        labels: Option<&str>,
        fields: Option<&str>,
    ) -> Result<Self, Refusal> {
        let labels = parse_labels(labels.unwrap_or_default())?;
        let fields = parse_fields(kind, fields.unwrap_or_default())?;
        Ok(Self { namespace, labels, fields })
    }

    /// Whether the object is one of those. Its namespace has been looked at.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|requirement| requirement.holds(labels[&requirement.key].as_str()))
            && self.fields.iter().all(|requirement| {
                let value = requirement.key.split('.').fold(object, |value, name| &value[name]);
                let text = match value {
                    Value::String(text) => text.clone(),
                    // Field selectors on `source` mean its component.
                    Value::Object(fields) => {
                        fields.get("component").and_then(Value::as_str).unwrap_or_default().to_owned()
                    }
                    // How many Pods of a Job have succeeded is not written while there are none.
                    Value::Null if requirement.key == SUCCEEDED => "0".to_owned(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                requirement.holds(Some(&text))
            })
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.demand {
            Demand::In(values) => value.is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            Demand::NotIn(values) => value.is_none_or(|value| values.iter().all(|wanted| wanted != value)),
            Demand::Exists => value.is_some(),
            Demand::Absent => value.is_none(),
            Demand::Above(bound) => number().is_some_and(|number| number > *bound),
            Demand::Below(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

/// The operators in a label selector; `exists` stands for a bare key.
pub(crate) fn label_operators(text: &str) -> BTreeSet<String> {
    let parts = split_outside_parentheses(text).into_iter().map(str::trim);
    parts
        .map(|part| {
            let word = |word: &str| part.split([' ', '(']).any(|found| found == word);
            let sign = ["!=", "==", "=", ">", "<"].into_iter().find(|sign| part.contains(sign));
            match sign {
                _ if word("notin") => "notin",
                _ if word("in") => "in",
                Some("==") => "=",
                Some(sign) => sign,
                None if part.starts_with('!') => "!",
                None => "exists",
            }
            .to_owned()
        })
        .collect()
}

/// The fields in a field selector, each with its operator.
pub(crate) fn field_operators(text: &str) -> BTreeSet<String> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| match part.split_once('=') {
            Some((key, _)) => format!("{key}="),
            None => part.to_owned(),
        })
        .collect()
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Refusal> {
    let unable = |why: &str| Refusal::bad_request(&format!("unable to parse requirement: {why}"));
    split_outside_parentheses(text)
        .into_iter()
        .map(|part| {
            let part = part.trim();
            let (key, demand) = parse_label(part).ok_or_else(|| {
                if part.contains('(') && !part.contains(')') {
                    unable("found '', expected: ',', ')' or identifier")
                } else {
                    unable(&format!("found '{part}', which is no requirement"))
                }
            })?;
            check_values(&key, &demand)?;
            Ok(Requirement { key, demand })
        })
        .collect()
}

/// What cannot be a label's value cannot be looked for.
fn check_values(key: &str, demand: &Demand) -> Result<(), Refusal> {
    let (Demand::In(values) | Demand::NotIn(values)) = demand else { return Ok(()) };
    match values.iter().enumerate().find(|(_, value)| value.len() > 63) {
        Some((index, value)) => Err(Refusal::bad_request(&format!(
            "unable to parse requirement: values[{index}][{key}]: Invalid value: {value:?}: must be no more than 63 bytes"
        ))),
        None => Ok(()),
    }
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn parse_label(part: &str) -> Option<(String, Demand)> {
    let key = |text: &str| {
        let text = text.trim();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!text.is_empty() && text.chars().all(fine)).then(|| text.to_owned())
    };
    let one = |text: &str| vec![text.trim().to_owned()];
    if let Some(name) = part.strip_prefix('!') {
        return Some((key(name)?, Demand::Absent));
    }
    if let Some((name, list)) = part.split_once(" notin ").or_else(|| part.split_once(" notin(")) {
        return Some((key(name)?, Demand::NotIn(values(list)?)));
    }
    if let Some((name, list)) = part.split_once(" in ").or_else(|| part.split_once(" in(")) {
        return Some((key(name)?, Demand::In(values(list)?)));
    }
    for sign in ["!=", "==", "="] {
        if let Some((name, value)) = part.split_once(sign) {
            let demand = if sign == "!=" { Demand::NotIn(one(value)) } else { Demand::In(one(value)) };
            return Some((key(name)?, demand));
        }
    }
    if let Some((name, bound)) = part.split_once('>') {
        return Some((key(name)?, Demand::Above(bound.trim().parse().ok()?)));
    }
    if let Some((name, bound)) = part.split_once('<') {
        return Some((key(name)?, Demand::Below(bound.trim().parse().ok()?)));
    }
    Some((key(part)?, Demand::Exists))
}

fn values(list: &str) -> Option<Vec<String>> {
    let list = list.trim();
    let list = list.strip_prefix('(').unwrap_or(list).strip_suffix(')')?;
    Some(list.split(',').map(|value| value.trim().to_owned()).collect())
}

fn parse_fields(kind: &ResourceType, text: &str) -> Result<Vec<Requirement>, Refusal> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, sign, value) = ["!=", "==", "="]
                .into_iter()
                .find_map(|sign| part.split_once(sign).map(|(key, value)| (key, sign, value)))
                .ok_or_else(|| {
                    Refusal::bad_request(&format!("invalid selector: '{text}'; can't understand '{part}'"))
                })?;
            let known = (key == "metadata.name" || (key == "metadata.namespace" && kind.namespaced))
                || kind.traits.fields.contains(&key);
            if !known {
                return Err(unknown_field(kind, key));
            }
            let value = vec![value.to_owned()];
            let demand = if sign == "!=" { Demand::NotIn(value) } else { Demand::In(value) };
            Ok(Requirement { key: internal(key), demand })
        })
        .collect()
}

const SUCCEEDED: &str = "status.succeeded";

/// The field of an object as it is kept: events are kept as the core group shows them, and one selector has the name that a field once had.
fn internal(key: &str) -> String {
    match key {
        "status.successful" => SUCCEEDED.to_owned(),
        "reportingController" => "reportingComponent".to_owned(),
        _ => key.replacen("regarding.", "involvedObject.", 1),
    }
}

fn unknown_field(kind: &ResourceType, key: &str) -> Refusal {
    if kind.custom.is_some() {
        return Refusal::bad_request(&format!("field label not supported: {key}"));
    }
    if kind.traits.fields.is_empty() {
        return Refusal::bad_request(&format!(
            "{key:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        ));
    }
    Refusal::bad_request(&format!("field label not supported: {key}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matching(selector: &str) -> Vec<&'static str> {
        let objects = [
            ("none", json!({"metadata": {}})),
            ("one", json!({"metadata": {"labels": {"a/b": "1"}}})),
            ("two", json!({"metadata": {"labels": {"a/b": "2", "c": ""}}})),
        ];
        let selection = Selection { labels: parse_labels(selector).unwrap(), ..Selection::default() };
        objects.iter().filter(|(_, object)| selection.matches(object)).map(|(name, _)| *name).collect()
    }

    #[test]
    fn operators_are_told_apart() {
        let words = |text| label_operators(text).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(words("a in (1, 3),b==2,!c"), "! = in");
        assert_eq!(words("a notin (1),b!=2,in,c>1"), "!= > in notin");
        assert_eq!(field_operators("a.b!=1,c=2").into_iter().collect::<Vec<_>>(), ["a.b!=", "c="]);
    }

    #[test]
    fn labels_select() {
        assert_eq!(matching("a/b in (1, 3)"), ["one"]);
        assert_eq!(matching("a/b notin (1)"), ["none", "two"]);
        assert_eq!(matching("!c,a/b"), ["one"]);
        assert_eq!(matching("a/b!=1,c"), ["two"]);
        assert_eq!(matching("a/b>1"), ["two"]);
        assert!(parse_labels("n in (").is_err());
    }
}
