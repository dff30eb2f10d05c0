//! The policies with one rule left out.

use serde_json::{Value, json};
use shard_router::fencing::FencingObjects;

type LeaveOut = fn(&FencingObjects) -> FencingObjects;

/// What is left out, and what shows it.
pub(crate) const EACH: [(&str, LeaveOut, &str); 15] = [
    (
        "children that are created",
        |all| operations(all, 1, &["UPDATE", "DELETE"]),
        "a child created by another is admitted",
    ),
    (
        "children that change",
        |all| operations(all, 1, &["CREATE", "DELETE"]),
        "a child changed by another is admitted",
    ),
    (
        "children that are deleted",
        |all| operations(all, 1, &["CREATE", "UPDATE"]),
        "a child deleted by another is admitted",
    ),
    (
        "resources that are deleted",
        |all| operations(all, 0, &["UPDATE"]),
        "a deletion by another is admitted",
    ),
    (
        "the resources themselves",
        |all| resources(all, 0, &["widgets/status"]),
        "a bucket label taken by another is admitted",
    ),
    (
        "the status of children",
        |all| resources(all, 1, &["services"]),
        "a child's status by another is admitted",
    ),
    (
        "the label before the write",
        |all| variable(all, 0, "oldBucket", "variables.newBucket"),
        "a child taken out of another's bucket",
    ),
    (
        "the label after the write",
        |all| variable(all, 0, "newBucket", "variables.oldBucket"),
        "a child put into another's bucket is admitted",
    ),
    (
        "the uid",
        |all| replace(all, 0, "refused", ".uid == variables.podUid", ".pod == variables.podName"),
        "a status by a namesake is admitted",
    ),
    (
        "tokens that are bound to no Pod",
        |all| replace(all, 0, "refused", "!(params", "variables.podUid != '' && !(params"),
        "a status by a Pod without a name is admitted",
    ),
    (
        "the row for stamping",
        |all| replace(all, 0, "parts", "'stamping'", "'9'"),
        "a stamp by another is admitted",
    ),
    (
        "the row of the coordinator",
        |all| replace(all, 0, "parts", "'coordinator'", "'9'"),
        "an unsharded resource by another is admitted",
    ),
    ("whom the policy for writes is about", |all| everybody(all, 0), "a status by a user is refused"),
    ("whom the policy for rows is about", |all| everybody(all, 1), "a row by a user is refused"),
    (
        "the Pod that a row names",
        |all| variable(all, 1, "foreignRows", "['']. filter(key, false)"),
        "a row by another is admitted",
    ),
];

fn edited(all: &FencingObjects, nth: usize, edit: impl FnOnce(&mut Value)) -> FencingObjects {
    let mut all = all.clone();
    let mut policy = serde_json::to_value(&all.policies[nth]).unwrap();
    edit(&mut policy["spec"]);
    let edited = serde_json::from_value(policy).unwrap();
    assert_ne!(all.policies[nth], edited, "nothing was left out");
    all.policies[nth] = edited;
    all
}

/// Of the rules of the first policy: the first two are for the sharded and the unsharded kind, the third for children.
fn rule(spec: &mut Value, of_children: usize) -> Vec<&mut Value> {
    let rules = spec["matchConstraints"]["resourceRules"].as_array_mut().unwrap();
    rules.iter_mut().filter(|rule| (rule["apiGroups"] == json!([""])) == (of_children == 1)).collect()
}

fn operations(all: &FencingObjects, of_children: usize, left: &[&str]) -> FencingObjects {
    edited(all, 0, |spec| {
        for rule in rule(spec, of_children) {
            rule["operations"] = json!(left);
        }
    })
}

fn resources(all: &FencingObjects, of_children: usize, left: &[&str]) -> FencingObjects {
    edited(all, 0, |spec| {
        for rule in rule(spec, of_children) {
            if rule["resources"] != json!(["roles", "roles/status"]) {
                rule["resources"] = json!(left);
            }
        }
    })
}

fn expression<'a>(spec: &'a mut Value, name: &str) -> &'a mut Value {
    let variables = spec["variables"].as_array_mut().unwrap();
    &mut variables.iter_mut().find(|variable| variable["name"] == name).unwrap()["expression"]
}

fn variable(all: &FencingObjects, nth: usize, name: &str, becomes: &str) -> FencingObjects {
    edited(all, nth, |spec| {
        // It may need variables that come after it.
        let variables = spec["variables"].as_array_mut().unwrap();
        let at = variables.iter().position(|variable| variable["name"] == name).unwrap();
        let mut moved = variables.remove(at);
        moved["expression"] = becomes.into();
        let last =
            variables.iter().position(|variable| variable["name"] == "sharded").unwrap_or(variables.len());
        variables.insert(last, moved);
    })
}

fn replace(all: &FencingObjects, nth: usize, name: &str, from: &str, to: &str) -> FencingObjects {
    edited(all, nth, |spec| {
        let expression = expression(spec, name);
        *expression = expression.as_str().unwrap().replace(from, to).into();
    })
}

fn everybody(all: &FencingObjects, nth: usize) -> FencingObjects {
    edited(all, nth, |spec| drop(spec.as_object_mut().unwrap().remove("matchConditions")))
}
