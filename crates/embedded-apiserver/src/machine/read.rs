//! One object.

use std::sync::Arc;

use super::{Call, Machine};
use crate::refusal::Refusal;
use crate::store::Kept;

impl Machine {
    pub(super) fn read(&self, call: &Call<'_>, name: &str) -> Result<Arc<Kept>, Refusal> {
        self.check_version_asked(call)?;
        self.existing(call, name)
    }

    pub(super) fn existing(&self, call: &Call<'_>, name: &str) -> Result<Arc<Kept>, Refusal> {
        let found = self.store.get(&Self::key_of(call, name)).cloned();
        found.ok_or_else(|| Refusal::not_found(&call.kind, name))
    }

    /// The revision that a read asks for at least, as it was given.
    pub(super) fn check_version_asked(&self, call: &Call<'_>) -> Result<Option<u64>, Refusal> {
        let Some(text) = call.query.get("resourceVersion") else { return Ok(None) };
        let asked: u64 = text.parse().map_err(|_| {
            Refusal::bad_request(&format!(
                "invalid resource version: resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing \
                 {text:?}: invalid syntax"
            ))
        })?;
        if asked > self.store.revision() {
            return Err(Refusal::too_large_version(asked, self.store.revision()));
        }
        Ok(Some(asked))
    }
}
