//! Why a child cannot be read from the cache.

/// Why a child cannot be read from the cache.
#[derive(Debug, thiserror::Error)]
pub enum OwnedError {
    /// The type was not declared with `owns`.
    #[error(
        "{kind} is not an owned type of this controller, so it is not cached; declare it with `Controller::owns`"
    )]
    NotDeclared {
        /// The kind.
        kind: String,
    },
    /// The child exists but does not decode.
    #[error("{kind} {name} does not decode: {error}")]
    Undecodable {
        /// The kind.
        kind: String,
        /// As `namespace/name`.
        name: String,
        /// Where decoding fails, and why.
        error: String,
    },
    /// The child of a cluster-scoped resource may be in any namespace, and none was given.
    #[error(
        "{kind} is namespaced and {owner} is not, so the namespace of the child has to be given; use `Held::owned_in`"
    )]
    NoNamespace {
        /// The kind of the child.
        kind: String,
        /// The kind of the resource.
        owner: String,
    },
    /// It is not known whether there is such a child: the namespace is not among those to watch, or its list has been refused.
    #[error(
        "{kind} in namespace {namespace} are not known: the namespace is not among those to watch, or they cannot be listed there"
    )]
    NotListed {
        /// The kind of the child.
        kind: String,
        /// The namespace.
        namespace: String,
    },
}
