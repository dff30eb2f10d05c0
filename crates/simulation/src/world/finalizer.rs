//! The owner's finalizer, the policy that guards it, and a tenant with few rights who would strip it.
//!
//! The policy is that of the chart (`templates/owner-finalizer.yaml`), as a rule of the embedded API server.

use embedded_apiserver::{AdmissionRequest, Machine, Operation};
use http::Method;
use memcached_operator::crd::DOMAIN;
use serde_json::{Value, json};

use super::World;
use super::actors::resource_name;
use crate::mutants;
use crate::schedule::ResourceIndex;
use crate::world::names::NAMESPACE;

/// Begins the User-Agent of whatever a replica sends, its stamper too.
const OPERATOR: &str = "memcached-operator";

/// Installs the policy.
pub(super) fn guard(machine: &mut Machine) {
    if !mutants::active(mutants::Mutant::NoFinalizerPolicy) {
        machine.admit_by(only_the_operator_strips);
    }
}

fn only_the_operator_strips(request: &AdmissionRequest<'_>) -> Result<(), String> {
    let matches = request.operation == Operation::Update
        && request.group == DOMAIN
        && request.resource == "memcacheds"
        && request.subresource.is_none()
        && !request.user.starts_with(OPERATOR);
    if matches && request.old_object.is_some_and(is_kept) && !request.object.is_some_and(is_kept) {
        return Err(format!("only the operator takes the finalizer {} off", finalizer()));
    }
    Ok(())
}

fn finalizer() -> String {
    format!("{DOMAIN}/shard-owner")
}

fn is_kept(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|all| all.iter().any(|one| *one == finalizer()))
}

impl World {
    /// The tenant deletes his resource, strips the operator's finalizer, and creates the resource anew for another tenant.
    ///
    /// # Panics
    /// If the policy is in force and he gets away with it.
    pub(super) fn strip_finalizer(&mut self, fault: usize, resource: ResourceIndex, tenant: u8) {
        let name = resource_name(resource);
        self.delete(&name);
        let object = self.api.look().peek(DOMAIN, "memcacheds", NAMESPACE, &name);
        if let Some(object) = object.filter(|object| is_kept(object)) {
            let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
            finalizers.retain(|one| *one != finalizer());
            let patch = json!({"metadata": {"finalizers": finalizers}});
            let uri = format!("/apis/{DOMAIN}/v1alpha1/namespaces/{NAMESPACE}/memcacheds/{name}");
            let code = self.api.attempt(self.now, Method::PATCH, &uri, Some(&patch)).status;
            let in_force = !mutants::active(mutants::Mutant::NoFinalizerPolicy);
            assert_eq!(code, if in_force { 422 } else { 200 }, "a tenant strips the finalizer of {name}");
            self.run_log.trace.line(self.now, format_args!("strip the finalizer of {name}: {code}"));
            self.run_log.touch_message(fault);
            self.show_changes(self.now);
        }
        self.create(resource, Some(tenant));
    }
}
