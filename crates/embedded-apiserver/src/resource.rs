//! The types of objects that the server keeps.

use std::sync::{Arc, OnceLock};

use kube_cel::CompiledSchema;
use serde_json::{Value, json};

use super::schema::Schema;

/// One resource in one version of its API group.
#[derive(Clone, Debug)]
pub(crate) struct ResourceType {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) singular: String,
    pub(crate) kind: String,
    pub(crate) list_kind: String,
    pub(crate) namespaced: bool,
    pub(crate) short_names: Vec<String>,
    pub(crate) categories: Vec<String>,
    pub(crate) status: bool,
    pub(crate) scale: Option<ScalePaths>,
    /// Where its objects are kept: the same for two API groups that show the same objects.
    pub(crate) storage: Arc<str>,
    /// The schema of the form in which objects are kept.
    pub(crate) schema: Arc<Schema>,
    /// The schema of the form in which they are shown, if that is another.
    pub(crate) shown: Option<Arc<Schema>>,
    pub(crate) traits: Traits,
    /// Set for custom resources.
    pub(crate) custom: Option<Arc<Custom>>,
}

/// In what the strategies of kube-apiserver's registry differ.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traits {
    /// `metadata.generation` counts changes of the spec.
    pub(crate) generation: bool,
    /// A PUT of what is not there creates it.
    pub(crate) create_on_update: bool,
    /// A PUT without a resourceVersion overwrites.
    pub(crate) unconditional_update: bool,
    /// Field selectors beyond `metadata.name` and `metadata.namespace`.
    pub(crate) fields: &'static [&'static str],
    /// What a name has to look like.
    pub(crate) name: NameRule,
}

/// The rules for names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// Dots, dashes, letters and digits; up to 253 characters.
    #[default]
    Subdomain,
    /// Without dots, up to 63 characters.
    Label,
    /// All that can be a part of a path.
    PathSegment,
}

/// Where a custom resource's `scale` subresource finds its numbers, as paths of field names.
#[derive(Clone, Debug)]
pub(crate) struct ScalePaths {
    pub(crate) spec_replicas: Vec<String>,
    pub(crate) status_replicas: Vec<String>,
    pub(crate) selector: Option<Vec<String>>,
}

/// What a CustomResourceDefinition adds.
#[derive(Debug)]
pub(crate) struct Custom {
    /// The schema as it was written, for CEL rules.
    pub(crate) open_api: Value,
    /// Its CEL rules, compiled when the first object is looked at.
    pub(crate) rules: OnceLock<CompiledSchema>,
    /// The extra columns of `kubectl get`.
    pub(crate) columns: Vec<Value>,
    /// Whether anything in the schema is a CEL rule.
    pub(crate) has_rules: bool,
}

impl ResourceType {
    /// The schema of the objects as clients see them.
    pub(crate) fn shown_schema(&self) -> &Schema {
        self.shown.as_deref().unwrap_or(&self.schema)
    }

    /// `group/version`, or only the version in the core group.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether this is its [`api_version`](Self::api_version).
    pub(crate) fn is_version(&self, text: &str) -> bool {
        match text.rsplit_once('/') {
            Some((group, version)) => {
                !self.group.is_empty() && group == self.group && version == self.version
            }
            None => self.group.is_empty() && text == self.version,
        }
    }

    /// `plural.group`, as messages name the resource.
    pub(crate) fn qualified(&self) -> String {
        with_group(&self.plural, &self.group)
    }

    /// `Kind.group`.
    pub(crate) fn qualified_kind(&self) -> String {
        with_group(&self.kind, &self.group)
    }

    /// The `details` of a `Status` about one object.
    pub(crate) fn details(&self, name: &str, kind: &str) -> Value {
        let mut details = json!({"name": name, "kind": kind});
        if !self.group.is_empty() {
            details["group"] = json!(self.group);
        }
        details
    }
}

fn with_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}
