//! Objects made from a structural schema: most of their values fit it, some are at its edges, and a few are what people and
//! programs write by mistake.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

/// Of a hundred values, so many are odd.
const ODD: u32 = 3;

/// How the times of people, programs and other languages differ from each other.
const TIMES: [&str; 20] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.123456789+05:30",
    "2026-01-01T00:00:00.1234567891Z",
    "2026-01-01T00:00:00+99:99",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00-23:59",
    "2026-02-30T00:00:00Z",
    "2024-02-29T23:59:60Z",
    "2016-12-31T23:59:60Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01t00:00:00z",
    "2026-01-01 00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00Z",
    "2026-01-01",
    "0000-01-01T00:00:00Z",
    "0000-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
    "-0001-01-01T00:00:00Z",
];

/// A time whose day is in the calendar.
const TIME: &str = r"[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";

/// Quantities in all spellings, and what looks like one.
const QUANTITIES: [&str; 22] = [
    "2",
    "500m",
    "0.5",
    "1.",
    ".5",
    "+1",
    "-1",
    "1e3",
    "1E+3",
    "1e-3",
    "1E",
    "1Ei",
    "1Ki",
    "1ki",
    "1n",
    "1u",
    "0",
    "99999999999999999999999999999999",
    "1e99999",
    "",
    " 1",
    "0x10",
];

/// Durations, and text of all kinds.
const TEXTS: [&str; 12] =
    ["", "5s", "1h30m", "PT5S", "null", "true", "~", "0", "a\u{0}b", "\u{feff}", "\u{10ffff}", "naïve ٣"];

fn numbers() -> Vec<Value> {
    let mut numbers = vec![json!(2.0), json!(0.5), json!(-0.0), json!(1e20), json!(-1e20), json!(1e300)];
    let edges =
        [i64::MIN, i64::from(i32::MIN) - 1, -1, 0, 255, 256, i64::from(i32::MAX) + 1, 1 << 53, i64::MAX];
    numbers.extend(edges.map(|edge| json!(edge)));
    numbers.push(json!(u64::MAX));
    numbers
}

/// Objects of the schema, with a status, each without a name.
pub(crate) fn objects(schema: &Value) -> impl Strategy<Value = Value> + use<> {
    let known = &schema["properties"];
    let (spec, status) = (value(&known["spec"]), value(&known["status"]));
    let misplaced = weighted(0.2, (any::<Index>(), odd(&Value::Null)));
    (spec, status, metadata(), misplaced).prop_map(|(spec, status, metadata, misplaced)| {
        let mut object = json!({"spec": spec, "status": status});
        if let Some((index, odd)) = misplaced {
            let mut paths = Vec::new();
            collect(&object, "", &mut paths);
            *object.pointer_mut(index.get::<String>(&paths)).expect("a path of it") = odd;
        }
        object["apiVersion"] = json!("cache.example.com/v1alpha1");
        object["kind"] = json!("Memcached");
        object["metadata"] = metadata;
        object
    })
}

/// The path of each value within this one.
fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, field)| (name.clone(), field)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        paths.push(path.clone());
        collect(child, &path, paths);
    }
}

fn metadata() -> impl Strategy<Value = Value> {
    let odd =
        select(vec![Value::Null, json!({}), json!({"cache.example.com/bucket": "0256"}), json!({"a": "b"})]);
    (odd.clone(), odd).prop_map(|(labels, annotations)| json!({"labels": labels, "annotations": annotations}))
}

fn value(schema: &Value) -> BoxedStrategy<Value> {
    let nulls = if schema["nullable"] == true { 10 } else { 0 };
    prop_oneof![100 - ODD => sound(schema), ODD => odd(schema), nulls => Just(Value::Null)].boxed()
}

/// A value that the schema means.
fn sound(schema: &Value) -> BoxedStrategy<Value> {
    if schema["x-kubernetes-int-or-string"] == true {
        return prop_oneof![(0..9_i64).prop_map(Value::from), text(schema)].boxed();
    }
    match schema["type"].as_str() {
        Some("object") => object(schema),
        Some("array") => {
            let item = value(&schema["items"]);
            vec(item, 0..=3).prop_map(Value::from).boxed()
        }
        Some("integer") => {
            #[expect(clippy::cast_possible_truncation, reason = "bounds of integers are integers")]
            let bound = |word: &str| schema[word].as_f64().map(|bound| bound as i64);
            let (least, most) = (bound("minimum"), bound("maximum"));
            let middle = least.unwrap_or(-9)..=most.unwrap_or(99);
            let edges = [least.unwrap_or(i64::MIN), most.unwrap_or(i64::MAX)];
            prop_oneof![8 => middle, 1 => select(edges.to_vec())].prop_map(Value::from).boxed()
        }
        Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
        Some("string") => text(schema),
        other => panic!("nobody has said how to make a value of type {other:?}; add it here"),
    }
}

fn object(schema: &Value) -> BoxedStrategy<Value> {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let mut object = Just(Map::new()).boxed();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let present = if required(name) { 0.99 } else { 0.4 };
        let (name, field) = (name.clone(), weighted(present, value(field)));
        object = (object, field)
            .prop_map(move |(mut object, field)| {
                object.extend(field.map(|field| (name.clone(), field)));
                object
            })
            .boxed();
    }
    if schema["additionalProperties"].is_object() {
        let entries =
            proptest::collection::btree_map("[a-z]{1,5}", value(&schema["additionalProperties"]), 0..3);
        object = (object, entries)
            .prop_map(|(mut object, entries)| {
                object.extend(entries);
                object
            })
            .boxed();
    }
    object.prop_map(Value::Object).boxed()
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    if let Some(allowed) = schema["enum"].as_array() {
        return select(allowed.clone()).boxed();
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let inner = pattern.trim_start_matches('^').trim_end_matches('$');
        let matching = string_regex(inner).expect("a pattern with anchors at its ends only");
        let days = if schema["format"] == "date-time" { 9 } else { 0 };
        return prop_oneof![days => TIME, 1 => matching].prop_map(Value::from).boxed();
    }
    if schema["format"] == "date-time" {
        return TIME.prop_map(Value::from).boxed();
    }
    prop_oneof!["[ -~]{0,12}", r"[0-9]\.[0-9]{1,2}\.[0-9]", "(Ready|Available|True)"]
        .prop_map(Value::from)
        .boxed()
}

/// A value that the schema may or may not accept.
fn odd(schema: &Value) -> BoxedStrategy<Value> {
    let mut odd = vec![Value::Null, json!(true), json!([]), json!({}), json!([null]), json!({"": null})];
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let is_number = schema["x-kubernetes-int-or-string"] == true;
    match schema["type"].as_str() {
        Some("integer") => odd.extend(numbers()),
        Some("string") if schema["format"] == "date-time" => odd.extend(texts(&TIMES)),
        None if is_number => odd.extend([numbers(), texts(&QUANTITIES)].concat()),
        Some("string") => odd.extend(texts(&TEXTS)),
        Some(_) => {}
        None => odd.extend([numbers(), texts(&TIMES), texts(&QUANTITIES), texts(&TEXTS)].concat()),
    }
    select(odd).boxed()
}
