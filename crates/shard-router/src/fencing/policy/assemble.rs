//! The parts of the two policies.

use std::collections::BTreeMap;

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ParamKind, ParamRef, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec,
    Validation, Variable,
};
use kube::{
    Resource,
    core::{ApiResource, ObjectMeta},
};

use super::{FencingPolicy, REFUSAL_PREFIX};
use crate::fencing::{expressions, table::OwnershipTable};

impl FencingPolicy {
    /// Status, bucket label and finalizers of resources; and children. A resource is created by users.
    pub(super) fn write_rules(&self) -> Vec<NamedRuleWithOperations> {
        let by_group = |types: &mut dyn Iterator<Item = &ApiResource>, operations: &[&str]| {
            let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for each in types {
                let resources = groups.entry(each.group.clone()).or_default();
                resources.extend([each.plural.clone(), format!("{}/status", each.plural)]);
            }
            groups.into_iter().map(|(group, plurals)| rule(&group, plurals, operations)).collect::<Vec<_>>()
        };
        let mut rules = by_group(&mut self.sharded.iter().chain(&self.unsharded), &ALL[1..]);
        rules.extend(by_group(&mut self.children.iter(), &ALL));
        rules
    }

    pub(super) fn write_spec(&self) -> PolicyParts {
        let [name, uid] = expressions::writer();
        let [old, new] = expressions::buckets(&self.bucket_label);
        let names = |kinds: &[ApiResource]| kinds.iter().map(qualified).collect::<Vec<_>>();
        let [sharded, unsharded] = expressions::kinds(&names(&self.sharded), &names(&self.unsharded));
        let required = expressions::variable("required", &self.required);
        let table = format!("{}/{}", self.table.0, self.table.1);
        PolicyParts {
            param_kind: Some(ParamKind {
                api_version: Some(OwnershipTable::api_version(&()).into_owned()),
                kind: Some(OwnershipTable::kind(&()).into_owned()),
            }),
            variables: vec![
                name,
                uid,
                old,
                new,
                sharded,
                unsharded,
                required,
                expressions::parts(),
                expressions::refused(),
            ],
            validations: vec![Validation {
                expression: "variables.refused.size() == 0".to_owned(),
                message_expression: Some(expressions::refusal(REFUSAL_PREFIX, &table)),
                ..Validation::default()
            }],
        }
    }

    pub(super) fn policy(
        &self,
        suffix: &str,
        rules: Vec<NamedRuleWithOperations>,
        parts: PolicyParts,
    ) -> ValidatingAdmissionPolicy {
        let (namespace, account) = &self.service_account;
        ValidatingAdmissionPolicy {
            metadata: ObjectMeta { name: Some(format!("{}{suffix}", self.name)), ..ObjectMeta::default() },
            spec: Some(ValidatingAdmissionPolicySpec {
                failure_policy: Some("Fail".to_owned()),
                match_constraints: Some(MatchResources {
                    resource_rules: Some(rules),
                    ..MatchResources::default()
                }),
                // Before anything else, so that nobody else's writes are evaluated.
                match_conditions: Some(vec![MatchCondition {
                    name: "by-the-operator".to_owned(),
                    expression: format!(
                        "request.userInfo.username == 'system:serviceaccount:{namespace}:{account}'"
                    ),
                }]),
                param_kind: parts.param_kind,
                variables: Some(parts.variables),
                validations: Some(parts.validations),
                ..ValidatingAdmissionPolicySpec::default()
            }),
            ..ValidatingAdmissionPolicy::default()
        }
    }

    pub(super) fn binding(
        &self,
        suffix: &str,
        param_ref: Option<ParamRef>,
    ) -> ValidatingAdmissionPolicyBinding {
        let name = format!("{}{suffix}", self.name);
        // `into`, as later versions of k8s-openapi have these fields without `Option`.
        ValidatingAdmissionPolicyBinding {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            spec: ValidatingAdmissionPolicyBindingSpec {
                policy_name: name.into(),
                validation_actions: vec![self.action.clone()].into(),
                param_ref,
                ..ValidatingAdmissionPolicyBindingSpec::default()
            }
            .into(),
        }
    }
}

/// The suffix of the policy for the rows of the table.
pub(super) const ROWS: &str = "-rows";
/// What can be done to an object.
pub(super) const ALL: [&str; 3] = ["CREATE", "UPDATE", "DELETE"];

/// What differs between the policies.
pub(super) struct PolicyParts {
    param_kind: Option<ParamKind>,
    variables: Vec<Variable>,
    validations: Vec<Validation>,
}

/// A row is written by the Pod that it names. The table is not deleted by replicas: a replica that has lost everything could open everything again.
pub(super) fn rows_spec() -> PolicyParts {
    let [name, uid] = expressions::writer();
    PolicyParts {
        param_kind: None,
        variables: vec![name, uid, expressions::foreign_rows()],
        validations: vec![
            Validation {
                expression: "request.operation != 'DELETE'".to_owned(),
                message: Some(format!("{REFUSAL_PREFIX}replicas do not delete the ownership table")),
                ..Validation::default()
            },
            Validation {
                expression: "variables.foreignRows.size() == 0".to_owned(),
                message_expression: Some(format!(
                    "'{REFUSAL_PREFIX}row ' + variables.foreignRows[0] + ' does not name the Pod that writes it, which is ' + \
                     (variables.podUid == '' ? 'none: the token is not bound to one' : variables.podName)"
                )),
                ..Validation::default()
            },
        ],
    }
}

pub(super) fn rule(group: &str, resources: Vec<String>, operations: &[&str]) -> NamedRuleWithOperations {
    NamedRuleWithOperations {
        api_groups: Some(vec![group.to_owned()]),
        api_versions: Some(vec!["*".to_owned()]),
        operations: Some(operations.iter().map(|&operation| operation.to_owned()).collect()),
        resources: Some(resources),
        ..NamedRuleWithOperations::default()
    }
}

/// As the expressions have it: the plural, a dot, the group.
pub(super) fn qualified(resource: &ApiResource) -> String {
    format!("{}.{}", resource.plural, resource.group)
}
