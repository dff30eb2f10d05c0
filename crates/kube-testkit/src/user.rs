//! Who talks to the API server.

/// A user of a test's API server, who may do what RBAC allows this name and group.
///
/// Users do not have to be created. Backends that run their own control plane issue a client certificate
/// when a [`Cluster`](crate::Cluster) creates a configuration for the user. On `existing`, the administrator impersonates the user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TestUser {
    name: String,
    group: Option<String>,
}

impl TestUser {
    /// A user in no group except `system:authenticated`, so without any rights at first.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), group: None }
    }

    /// A member of `system:masters`, which RBAC never refuses.
    pub fn admin() -> Self {
        Self::new("kube-testkit-admin").in_group("system:masters")
    }

    /// The user that a service account's tokens stand for.
    ///
    /// RBAC bindings to the service account apply to it. It has no token extras (`authentication.kubernetes.io/pod-name`).
    /// If you need them, request a bound token from the API server.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::new(format!("system:serviceaccount:{namespace}:{name}"))
            .in_group(format!("system:serviceaccounts:{namespace}"))
    }

    /// Sets the group of the user. A certificate contains only one group, so the last one counts.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The name, as in RBAC and in the audit log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group, if any.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }
}
