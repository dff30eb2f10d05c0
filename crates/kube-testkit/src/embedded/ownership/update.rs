//! The two ways to change an object, and what each does to ownership.

use serde_json::Value;

use super::compare::{Comparison, compare};
use super::managed::{Manager, Managers, Owned};
use super::merge::merge;
use super::remove::{Emptied, remove};
use super::set::FieldSet;
use crate::embedded::schema::Schema;

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
    let comparison = compare(schema, &bare(old), &bare(new)).without(ignored);
    take_from_others(managers, manager, &comparison);
    let changed = comparison.changed().difference(&unowned());
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
    let (live, config) = (bare(live), bare(config));
    let merged = merge(schema, &live, &config);
    let last = managers.0.get(manager).cloned();
    // All that is applied counts while it is found out what is not applied any more: a name or a uid keeps `metadata`.
    let set = FieldSet::of(schema, &config).without_below(ignored);
    let time = last.as_ref().and_then(|owned| owned.time.clone());
    let owned = Owned { fields: set, api_version: api_version.to_owned(), time };
    managers.0.insert(manager.clone(), owned);
    let result = match last.filter(|last| !last.fields.is_empty()) {
        Some(last) => prune(schema, &merged, managers, &last.fields),
        None => merged,
    };
    let comparison = compare(schema, &live, &result).without(ignored);
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
        owned.fields = owned.fields.difference(&unowned());
    }
    managers.0.retain(|_, owned| !owned.fields.is_empty());
    Ok(result)
}

fn take_from_others(managers: &mut Managers, manager: &Manager, comparison: &Comparison) {
    let changed = comparison.changed();
    for (other, owned) in &mut managers.0 {
        if other != manager {
            owned.fields = owned.fields.difference(&changed).difference(&comparison.removed);
        }
    }
    managers.0.retain(|other, owned| other == manager || !owned.fields.is_empty());
}

/// Takes out what the manager applied last time and does not apply any more, unless somebody else owns it.
fn prune(schema: &Schema, merged: &Value, managers: &Managers, last: &FieldSet) -> Value {
    let named = |set: &FieldSet| set.with_named_fields(Some(schema));
    let last = named(last);
    let pruned = remove(schema, merged, &last, Emptied::IsNull);
    let managed = managers.0.values().fold(FieldSet::default(), |all, owned| all.union(&owned.fields));
    let in_merged = named(&FieldSet::of(schema, merged));
    let kept = named(&FieldSet::of(schema, &pruned)).union(&named(&managed));
    let pruned = remove(schema, merged, &in_merged.difference(&kept), Emptied::IsNull);
    let in_pruned = named(&FieldSet::of(schema, &pruned));
    remove(schema, merged, &in_merged.difference(&in_pruned).intersection(&last), Emptied::IsGone)
}

/// The object without `managedFields`, which nobody owns.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

/// What the API server itself sets, and never shows as owned.
fn unowned() -> FieldSet {
    use super::element::Element;
    let mut set = FieldSet::default();
    let field = |name: &str| Element::Field(name.to_owned());
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
