//! Which object a child is: its name, its namespace, and whether its owner may have it.

use kube::core::ObjectMeta;

use super::{error::ApplyError, owner::Owner};
use crate::{kind_type::KindType, sharded::qualified};

/// Gives a child the namespace of its owner, if it has none.
///
/// # Errors
/// If there can be no such child of this owner.
pub(crate) fn place(kind: &KindType, meta: &mut ObjectMeta, owner: &Owner) -> Result<(), ApplyError> {
    let child = described(kind, meta);
    if meta.name.as_deref().is_none_or(str::is_empty) {
        return Err(ApplyError::NoName { kind: kind.api.kind.clone() });
    }
    match (&owner.namespace, kind.is_namespaced()) {
        (Some(of_owner), false) => Err(ApplyError::ClusterScoped { child, of_owner: of_owner.clone() }),
        (Some(of_owner), true) => {
            let namespace = meta.namespace.get_or_insert_with(|| of_owner.clone());
            if namespace == of_owner {
                return Ok(());
            }
            let (namespace, of_owner) = (namespace.clone(), of_owner.clone());
            Err(ApplyError::OtherNamespace { child, namespace, of_owner })
        }
        (None, true) if meta.namespace.as_deref().is_none_or(str::is_empty) => {
            Err(ApplyError::NoNamespace { child })
        }
        (None, _) => Ok(()),
    }
}

/// Kind and name.
pub(super) fn described(kind: &KindType, meta: &ObjectMeta) -> String {
    format!("{} {}", kind.api.kind, meta.name.as_deref().unwrap_or_default())
}

/// What tells a child from all others of its owner, which may be in several namespaces and of kinds with one name.
pub(super) fn object_of(kind: &KindType, meta: &ObjectMeta) -> String {
    let name = qualified(meta.namespace.as_deref(), meta.name.as_deref().unwrap_or_default());
    format!("{} {name}", kind.name())
}
