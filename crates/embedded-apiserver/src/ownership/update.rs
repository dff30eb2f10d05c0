//! The two ways to change an object, and what each does to ownership.

use std::sync::LazyLock;

use serde_json::Value;

use super::compare::{Comparison, compare};
use super::managed::{Manager, Managers, Owned};
use super::merge::merge;
use super::remove::{Emptied, remove};
use super::set::FieldSet;
use crate::schema::Schema;

/// Why a configuration was not applied: the fields that others own, by manager.
#[derive(Debug)]
pub(crate) struct ApplyError(pub(crate) Vec<(Manager, FieldSet)>);

/// An update, create or patch by `manager` from `old` to `new`: it owns what it changed, and nobody owns any more what
/// it removed or changed under their hands. `ignored` fields belong to nobody through this endpoint.
pub(crate) fn update(
    schema: &Schema,
    (old, new): (&Value, &Value),
    managers: &mut Managers,
    manager: &Manager,
    ignored: &FieldSet,
    now: &str,
) {
    let comparison = compare(schema, old, new).without(ignored);
    take_from_others(managers, manager, &comparison);
    let changed = comparison.changed().difference(unowned());
    let before = managers.0.get(manager).map(|owned| owned.fields.clone()).unwrap_or_default();
    let after = before.difference(&comparison.removed).union(&changed);
    if after.is_empty() {
        managers.0.remove(manager);
    } else if !changed.is_empty() || after != before {
        let time = if changed.is_empty() {
            managers.0.get(manager).and_then(|owned| owned.time.clone())
        } else {
            Some(now.to_owned())
        };
        managers
            .0
            .insert(manager.clone(), Owned { fields: after, api_version: manager.api_version.clone(), time });
    }
}

/// Applies a configuration: what results, with `managers` brought up to date.
pub(crate) fn apply(
    schema: &Schema,
    (live, config): (&Value, &Value),
    managers: &mut Managers,
    (manager, api_version): (&Manager, &str),
    force: bool,
    ignored: &FieldSet,
) -> Result<Value, ApplyError> {
    let config = bare(config);
    let merged = merge(schema, bare(live), &config);
    let last = managers.0.get(manager).cloned();
    // All that is applied counts while it is found out what is not applied any more: a name or a uid keeps `metadata`.
    let set = FieldSet::of(schema, &config).without_below(ignored);
    let time = last.as_ref().and_then(|owned| owned.time.clone());
    let owned = Owned { fields: set, api_version: api_version.to_owned(), time };
    managers.0.insert(manager.clone(), owned);
    let result = match last.filter(|last| !last.fields.is_empty()) {
        Some(last) => prune(schema, merged, managers, &last.fields),
        None => merged,
    };
    let comparison = compare(schema, live, &result).without(ignored);
    let changed = comparison.changed();
    let conflicts: Vec<(Manager, FieldSet)> = managers
        .0
        .iter()
        .filter(|(other, _)| *other != manager)
        .map(|(other, owned)| (other.clone(), owned.fields.intersection(&changed)))
        .filter(|(_, fields)| !fields.is_empty())
        .collect();
    if !force && !conflicts.is_empty() {
        return Err(ApplyError(conflicts));
    }
    take_from_others(managers, manager, &comparison);
    if let Some(owned) = managers.0.get_mut(manager) {
        owned.fields = owned.fields.difference(unowned());
    }
    managers.0.retain(|_, owned| !owned.fields.is_empty());
    Ok(result)
}

fn take_from_others(managers: &mut Managers, manager: &Manager, comparison: &Comparison) {
    let mut taken = comparison.changed();
    taken.extend(&comparison.removed);
    if !taken.is_empty() {
        for (_, owned) in managers.0.iter_mut().filter(|(other, _)| *other != manager) {
            owned.fields = owned.fields.difference(&taken);
        }
    }
    managers.0.retain(|other, owned| other == manager || !owned.fields.is_empty());
}

/// Takes out what the manager applied last time and does not apply any more, unless somebody else owns it.
fn prune(schema: &Schema, merged: Value, managers: &Managers, last: &FieldSet) -> Value {
    let named = |set: &FieldSet| set.with_named_fields(Some(schema));
    let last = named(last);
    let pruned = remove(schema, &merged, &last, Emptied::IsNull);
    let mut managed = FieldSet::default();
    managers.0.values().for_each(|owned| managed.extend(&owned.fields));
    let in_merged = named(&FieldSet::of(schema, &merged));
    let mut kept = named(&FieldSet::of(schema, &pruned));
    kept.extend(&named(&managed));
    let dropped = in_merged.difference(&kept);
    if dropped.is_empty() {
        // As in most applies; what follows would find nothing to remove, either.
        return without_nulls(merged);
    }
    let pruned = remove(schema, &merged, &dropped, Emptied::IsNull);
    let in_pruned = named(&FieldSet::of(schema, &pruned));
    remove(schema, &merged, &in_merged.difference(&in_pruned).intersection(&last), Emptied::IsGone)
}

/// What is left where nothing is removed.
fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    object
}

/// The object without `managedFields`, which nobody owns.
fn bare(object: &Value) -> Value {
    let Value::Object(fields) = object else { return object.clone() };
    let bare = fields.iter().map(|(name, field)| match field {
        Value::Object(metadata) if name == "metadata" => {
            let kept = metadata.iter().filter(|(name, _)| *name != "managedFields");
            (name.clone(), kept.map(|(name, field)| (name.clone(), field.clone())).collect())
        }
        _ => (name.clone(), field.clone()),
    });
    bare.collect()
}

/// What the API server itself sets, and never shows as owned.
fn unowned() -> &'static FieldSet {
    static UNOWNED: LazyLock<FieldSet> = LazyLock::new(list_unowned);
    &UNOWNED
}

fn list_unowned() -> FieldSet {
    use super::element::Element;
    let mut set = FieldSet::default();
    let field = |name: &str| Element::field(name);
    set.insert(&[field("apiVersion")]);
    set.insert(&[field("kind")]);
    set.insert(&[field("metadata")]);
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        set.insert(&[field("metadata"), field(name)]);
    }
    set
}
