//! Why a child could not be applied.

use crate::observability::sentence::of_request;

/// A child that could not be applied. All but [`NotOurs`](Self::NotOurs), and refusals by the API server, pass by themselves.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The child could not be read.
    #[error("could not read {child}: {}", of_request(.source))]
    Read {
        /// Kind and name.
        child: String,
        /// The API server's answer, or why there was none.
        source: kube::Error,
    },
    /// The child could not be written.
    #[error("could not apply {child}: {}", of_request(.source))]
    Apply {
        /// Kind and name.
        child: String,
        /// The API server's answer, or why there was none.
        source: kube::Error,
    },
    /// An object of this name belongs to somebody else. Taking it over might break what it belongs to.
    #[error(
        "{child} exists and does not belong to this {owner_kind} ({owner}); rename this {owner_kind}, or delete or rename that \
         object"
    )]
    NotOurs {
        /// Kind and name.
        child: String,
        /// The kind of the resource that wants it.
        owner_kind: String,
        /// Whose it is, as a phrase.
        owner: String,
    },
    /// The child is being deleted; its successor has to wait until it is gone.
    #[error(
        "{child} has been terminating since {since}{}; it is created again as soon as it is gone",
        waits_for(.finalizers)
    )]
    Terminating {
        /// Kind and name.
        child: String,
        /// Its deletionTimestamp.
        since: String,
        /// What keeps it.
        finalizers: Vec<String>,
    },
    /// A child of a deleted resource of the same name is still there.
    #[error(
        "{child} still belongs to a deleted {owner_kind} of the same name; it is created again as soon as the garbage collector has \
         removed it"
    )]
    Leftover {
        /// Kind and name.
        child: String,
        /// The kind of the resource that wants it.
        owner_kind: String,
    },
    /// The child has no name, so it cannot be applied.
    #[error(
        "a child of kind {kind} has no metadata.name; server-side apply needs a name (generateName does not work)"
    )]
    NoName {
        /// Its kind.
        kind: String,
    },
    /// The owner is cluster-scoped, and the child does not say which namespace it is for.
    #[error(
        "{child} has no metadata.namespace, and its owner has none either; set the namespace of the child"
    )]
    NoNamespace {
        /// Kind and name.
        child: String,
    },
    /// The child is cluster-scoped and its owner is not, so the garbage collector would delete it.
    #[error(
        "{child} is cluster-scoped, and its owner is in the namespace {of_owner}; an owner has to be in the same namespace or \
         cluster-scoped: let a cluster-scoped resource own it, or apply it without an owner and delete it in a finalizer"
    )]
    ClusterScoped {
        /// Kind and name.
        child: String,
        /// The namespace of its owner.
        of_owner: String,
    },
    /// The child is a `DynamicObject`, and its type was not declared.
    #[error(
        "the type of the child {child} is unknown; set its apiVersion and kind, and declare them with `Controller::owns_dynamic`"
    )]
    UnknownType {
        /// Its name.
        child: String,
    },
    /// The child is in another namespace than its owner, and the garbage collector would delete it.
    #[error(
        "{child} is in the namespace {namespace} and its owner in {of_owner}; an owner has to be in the same namespace or \
         cluster-scoped"
    )]
    OtherNamespace {
        /// Kind and name.
        child: String,
        /// Its namespace.
        namespace: String,
        /// The namespace of its owner.
        of_owner: String,
    },
}

impl ApplyError {
    /// Whether a write lost against another: another attempt with the new state will do.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Apply { source, .. } if is_conflict(source))
    }
}

/// Whether a precondition failed. Another uid than that of the object there is reported as a field that cannot change.
pub fn is_conflict(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 409 || (status.code == 422 && causes.clone().any(|cause| cause.field == "metadata.uid"))
}

fn waits_for(finalizers: &[String]) -> String {
    match finalizers {
        [] => String::new(),
        _ => format!(", because its finalizers have not been removed ({})", finalizers.join(", ")),
    }
}
