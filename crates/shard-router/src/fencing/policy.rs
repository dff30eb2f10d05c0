//! The admission policies, as a pure function of what an installation is called and what it writes.

mod assemble;

use k8s_openapi::api::admissionregistration::v1::{
    ParamRef, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::{Resource, core::ApiResource};

use self::assemble::{ALL, ROWS, qualified, rows_spec, rule};
use super::table::OwnershipTable;

/// What the message of each refusal begins with, after what the API server itself puts in front.
pub const REFUSAL_PREFIX: &str = "fenced: ";

/// Whether a fencing policy has refused a write.
pub(crate) fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if names_refusal(&status.message))
}

/// Whether this message of the API server is that of a fencing policy.
pub(crate) fn names_refusal(message: &str) -> bool {
    message.contains("ValidatingAdmissionPolicy") && message.contains(REFUSAL_PREFIX)
}

/// What the API server does with a write of a Pod that does not own what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FencingAction {
    /// It refuses the write.
    #[default]
    Deny,
    /// It admits the write and says so in its audit log.
    Audit,
    /// It admits the write and says so in a header of the answer.
    Warn,
}

/// What to make policies of.
#[derive(Debug, Clone, PartialEq)]
pub struct FencingPolicy {
    name: String,
    service_account: (String, String),
    table: (String, String),
    bucket_label: String,
    sharded: Vec<ApiResource>,
    unsharded: Vec<ApiResource>,
    children: Vec<ApiResource>,
    action: String,
    required: String,
}

/// Why there can be no such policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FencingPolicyError {
    /// Leases decide who owns what, so they must not depend on who does. And the API server may stop to admit Leases at all (kubernetes/kubernetes#141367).
    #[error("a fencing policy must not match {0}; leave this type out of the kinds and children")]
    NeverFenced(String),
    /// There is nothing to protect.
    #[error("a fencing policy needs at least one kind; declare it with `sharded` or `unsharded`")]
    NoKinds,
}

/// The policies with their bindings.
#[derive(Debug, Clone, PartialEq)]
pub struct FencingObjects {
    /// Who may write resources and children, and who may write which row of the table.
    pub policies: [ValidatingAdmissionPolicy; 2],
    /// What puts them into effect, in the same order.
    pub bindings: [ValidatingAdmissionPolicyBinding; 2],
}

impl FencingPolicy {
    /// For the installation whose replicas run as the ServiceAccount `account` (namespace, name) and whose table has this namespace and name. The table is named after the
    /// LeaderElectionID and is in the namespace of the Leases.
    ///
    /// `name` is the name of the policies, which are cluster-scoped: it has to be different for each installation. `bucket_label` is
    /// [`Names::bucket_label`](crate::Names::bucket_label).
    pub fn new(name: &str, account: (&str, &str), table: (&str, &str), bucket_label: &str) -> Self {
        let own = |(namespace, name): (&str, &str)| (namespace.to_owned(), name.to_owned());
        Self {
            name: name.to_owned(),
            service_account: own(account),
            table: own(table),
            bucket_label: bucket_label.to_owned(),
            sharded: Vec::new(),
            unsharded: Vec::new(),
            children: Vec::new(),
            action: "Deny".to_owned(),
            required: false.to_string(),
        }
    }

    /// Adds a kind that is sharded.
    #[must_use]
    pub fn sharded<K: Resource<DynamicType = ()>>(self) -> Self {
        self.sharded_dynamic(ApiResource::erase::<K>(&()))
    }

    /// The same for a kind that is not known at compile time.
    #[must_use]
    pub fn sharded_dynamic(mut self, kind: ApiResource) -> Self {
        self.sharded.push(kind);
        self
    }

    /// Adds a kind that is not sharded, and so belongs to the coordinator Lease.
    #[must_use]
    pub fn unsharded<K: Resource<DynamicType = ()>>(mut self) -> Self {
        self.unsharded.push(ApiResource::erase::<K>(&()));
        self
    }

    /// Adds a type of children. A child that is created without the bucket label belongs to the coordinator.
    #[must_use]
    pub fn owns<C: Resource<DynamicType = ()>>(self) -> Self {
        self.owns_dynamic(ApiResource::erase::<C>(&()))
    }

    /// The same for a type that is not known at compile time.
    #[must_use]
    pub fn owns_dynamic(mut self, child: ApiResource) -> Self {
        self.children.push(child);
        self
    }

    /// What happens to a write of a Pod that does not own what it writes. Default: [`FencingAction::Deny`].
    #[must_use]
    pub fn action(mut self, action: FencingAction) -> Self {
        self.action = format!("{action:?}");
        self
    }

    /// Whether a write is refused if no row of the table is about it. By default it is admitted, so that a version that does not write the table can run before and after one
    /// that does.
    ///
    /// While there is no table at all, everything is admitted nevertheless. The API server could refuse then, but it would refuse everybody: it looks for the table
    /// before it looks at who writes, so no controller in the cluster could write an object of these types.
    #[must_use]
    pub fn required(mut self, required: bool) -> Self {
        self.required = required.to_string();
        self
    }

    /// For a chart, which renders these values: what takes the place of the action, and of `true` or `false` for [`required`](Self::required).
    #[must_use]
    pub fn placeholders(mut self, action: &str, required: &str) -> Self {
        action.clone_into(&mut self.action);
        required.clone_into(&mut self.required);
        self
    }

    /// The objects to create.
    ///
    /// A writer whose token is not bound to a Pod owns nothing: it is refused wherever a row names a Pod, and also where there is no row if rows are required.
    ///
    /// # Errors
    ///
    /// If no kind is declared, or if a type is declared that must not be fenced.
    pub fn objects(&self) -> Result<FencingObjects, FencingPolicyError> {
        if self.sharded.is_empty() && self.unsharded.is_empty() {
            return Err(FencingPolicyError::NoKinds);
        }
        let never = [("coordination.k8s.io", "leases"), table_resource()];
        let types = self.sharded.iter().chain(&self.unsharded).chain(&self.children);
        for each in types {
            if never.contains(&(each.group.as_str(), each.plural.as_str())) {
                return Err(FencingPolicyError::NeverFenced(qualified(each)));
            }
        }
        let table = ApiResource::erase::<OwnershipTable>(&());
        let writes = self.policy("", self.write_rules(), self.write_spec());
        let rows = self.policy(ROWS, vec![rule(&table.group, vec![table.plural.clone()], &ALL)], rows_spec());
        let (namespace, name) = self.table.clone();
        let params = ParamRef {
            name: Some(name),
            namespace: Some(namespace),
            // Not `Deny`, even if rows are required; see `required`.
            parameter_not_found_action: Some("Allow".to_owned()),
            ..ParamRef::default()
        };
        let bindings = [self.binding("", Some(params)), self.binding(ROWS, None)];
        Ok(FencingObjects { policies: [writes, rows], bindings })
    }
}

fn table_resource() -> (&'static str, &'static str) {
    ("shard-router.dev", "ownershiptables")
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{coordination::v1::Lease, core::v1::Service};

    use super::*;

    fn policy() -> FencingPolicy {
        FencingPolicy::new("p", ("ops", "operator"), ("ops", "id"), "example.com/bucket")
    }

    #[test]
    fn leases_and_the_table_are_never_matched() {
        let of = |policy: FencingPolicy| policy.sharded::<Service>().objects().unwrap_err();
        let lease = FencingPolicyError::NeverFenced("leases.coordination.k8s.io".to_owned());
        assert_eq!(of(policy().owns::<Lease>()), lease);
        let table = FencingPolicyError::NeverFenced("ownershiptables.shard-router.dev".to_owned());
        assert_eq!(of(policy().owns::<OwnershipTable>()), table);
        assert_eq!(policy().owns::<Service>().objects().unwrap_err(), FencingPolicyError::NoKinds);
    }

    #[test]
    fn the_params_are_one_custom_resource() {
        let objects = policy().sharded::<Service>().required(true).objects().unwrap();
        let kind = objects.policies[0].spec.as_ref().unwrap().param_kind.clone().unwrap();
        assert_eq!(kind.api_version.as_deref(), Some("shard-router.dev/v1alpha1"));
        let params = objects.bindings[0].spec.as_ref().unwrap().param_ref.clone().unwrap();
        assert_eq!((params.name.as_deref(), params.namespace.as_deref()), (Some("id"), Some("ops")));
        assert_eq!(params.parameter_not_found_action.as_deref(), Some("Allow"), "it holds for everybody");
    }
}
