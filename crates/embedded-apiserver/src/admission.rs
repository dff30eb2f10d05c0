//! Admission of writes, as a policy of the real server decides it: by whoever makes the server.

use std::sync::Arc;

use serde_json::Value;

/// A write that is asked for, valid in itself, and about to be carried out.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionRequest<'a> {
    /// What is done.
    pub operation: Operation,
    /// Who asks: the User-Agent, as there is no authentication. Empty if there is none.
    pub user: &'a str,
    /// The API group; empty for the core group.
    pub group: &'a str,
    /// The resource, in the plural.
    pub resource: &'a str,
    /// The subresource that is written through.
    pub subresource: Option<&'a str>,
    /// The object as it would be kept; `None` of a deletion.
    pub object: Option<&'a Value>,
    /// The object as it is kept; `None` of a creation.
    pub old_object: Option<&'a Value>,
}

/// What a write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of an object, which may end it where it is being deleted.
    Update,
    /// A deletion.
    Delete,
}

/// Decides about a write. The error says why it is denied, and is answered as that of a `ValidatingAdmissionPolicy`: 422.
pub(crate) type Admission = Arc<dyn Fn(&AdmissionRequest<'_>) -> Result<(), String> + Send + Sync>;
