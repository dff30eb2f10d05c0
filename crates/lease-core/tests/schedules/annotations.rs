//! What the work wants to have noted on the Lease, some of which no API server takes.

use std::collections::BTreeMap;

use lease_core::WriteKind;
use lease_core::{Carried, PendingAnnotations};
use lease_core::{Event, Refusal, Write};

use super::{Violation, World};

/// Every so many annotations is one that the API server refuses.
const REFUSED: u64 = 3;

/// So often may the same annotation be sent where every answer is lost.
const TRIES: u8 = 3;

/// The answer to a write says what became of what it carried.
pub(crate) fn observe(pending: &mut PendingAnnotations<u64>, event: &Event) {
    let (attempt, fate) = match event {
        Event::WriteLanded(attempt, _) => (attempt, Carried::Landed),
        Event::WriteRefused(attempt, Refusal::Rejected { .. }) => (attempt, Carried::Refused),
        Event::WriteRefused(attempt, Refusal::Conflict) | Event::WriteUnknown(attempt) => {
            (attempt, Carried::Uncertain)
        }
        _ => return,
    };
    pending.written(*attempt, fate);
}

impl World {
    /// The annotations that this write carries, by number. Now and then the work asks for another.
    pub(crate) fn carried_by(&mut self, node: usize, write: Option<&Write>) -> Vec<u64> {
        let Some(write) = write.filter(|write| write.kind == WriteKind::Renew) else { return Vec::new() };
        let Some(process) = &mut self.nodes[node].process else { return Vec::new() };
        if !self.calm && self.rng.u8(0..8) == 0 {
            let (number, key) = (self.requests, self.requests.to_string());
            process.annotations.add([(key, Some(String::new()))].into(), number);
        }
        let mut annotations = BTreeMap::new();
        process.annotations.put_on(&mut annotations, write.attempt);
        annotations.into_keys().filter_map(|key| key.parse().ok()).collect()
    }

    /// Whether the API server refuses a write for what it carries. Whoever is told so does not send it again; but an answer
    /// may be lost.
    pub(crate) fn refuses(&mut self, carries: &[u64]) -> Result<bool, Violation> {
        let Some(bad) = carries.iter().find(|number| *number % REFUSED == 0) else { return Ok(false) };
        let refused = self.api.refused.entry(*bad).or_default();
        *refused += 1;
        if *refused > TRIES {
            let what = format!("annotation {bad} was sent again after {TRIES} refusals");
            return Err(self.violation("a refused annotation rides on nothing", what));
        }
        Ok(true)
    }
}
