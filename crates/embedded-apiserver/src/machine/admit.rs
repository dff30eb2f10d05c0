//! Asking for admission.

use std::sync::Arc;

use http::header::USER_AGENT;
use serde_json::Value;

use super::{Call, Machine};
use crate::admission::{AdmissionRequest, Operation};
use crate::refusal::Refusal;

impl Machine {
    /// From now on, writes are carried out only where this says so.
    ///
    /// It is asked after validation, and of each object of a collection that is deleted. It is not asked of what no request does
    /// (garbage collection), and not again of an apply that it has admitted before and that changes nothing.
    pub fn admit_by(
        &mut self,
        decide: impl Fn(&AdmissionRequest<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.admission = Some(Arc::new(decide));
    }

    /// Asks about one object, of which there is at least one state.
    pub(super) fn admit(
        &self,
        call: &Call<'_>,
        operation: Operation,
        object: Option<&Value>,
        old_object: Option<&Value>,
    ) -> Result<(), Refusal> {
        let Some(decide) = &self.admission else { return Ok(()) };
        let user = call.request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let request = AdmissionRequest {
            operation,
            user: user.unwrap_or_default(),
            group: &call.kind.group,
            resource: &call.kind.plural,
            subresource: call.place.subresource.as_deref(),
            object,
            old_object,
        };
        decide(&request).map_err(|why| {
            let name = object.or(old_object).and_then(|object| object["metadata"]["name"].as_str());
            Refusal::denied(&call.kind, name.unwrap_or_default(), &why)
        })
    }
}
