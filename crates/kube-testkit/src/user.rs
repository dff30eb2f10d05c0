//! Who talks to the API server.

/// A user of a test's API server, who may do what RBAC allows this name and group.
///
/// There is no register of users: on the backends that run their own control plane each is given a client certificate
/// when a [`Cluster`](crate::Cluster) is asked for its configuration; on `existing` the administrator impersonates it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TestUser {
    name: String,
    group: Option<String>,
}

impl TestUser {
    /// A user without any group but `system:authenticated`, and so without any permission to begin with.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), group: None }
    }

    /// A member of `system:masters`, whom RBAC never refuses.
    pub fn admin() -> Self {
        Self::new("kube-testkit-admin").in_group("system:masters")
    }

    /// The user that a service account's tokens stand for.
    ///
    /// RBAC bindings to the service account hold for it. Its token extras (`authentication.kubernetes.io/pod-name`)
    /// are not there; where they matter, ask the API server for a bound token.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::new(format!("system:serviceaccount:{namespace}:{name}"))
            .in_group(format!("system:serviceaccounts:{namespace}"))
    }

    /// Puts the user into a group. A certificate made here carries one, so the last one given counts.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The name that RBAC and the audit log know.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group, if any.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }
}
