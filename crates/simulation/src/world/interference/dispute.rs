//! Two writers of one field: whoever disputes a child edits it, and again after each write of the operator.

use std::time::Duration;

use super::Change;
use crate::schedule::{ChildChange, FaultKind, LEAST_LATENCY, ResourceIndex};
use crate::time::TrueTime;
use crate::world::actors::resource_name;
use crate::world::child::{Child, KINDS};
use crate::world::{ServerEvent, World};

impl World {
    /// Somebody begins to dispute the Service of a resource.
    pub(in crate::world) fn dispute(&mut self, fault: usize, resource: ResourceIndex) {
        self.edit_soon(self.now + LEAST_LATENCY * 2, fault, service_of(resource));
    }

    /// The operator has written this child.
    pub(super) fn answer_in_dispute(&mut self, at: TrueTime, child: &Child) {
        let disputed = self.network.faults().find_map(|(number, fault)| match fault {
            FaultKind::Dispute { resource } if service_of(*resource) == *child => Some(number),
            _ => None,
        });
        if let Some(fault) = disputed {
            let soon = Duration::from_millis(self.interference.rng.u64(50..=150));
            self.edit_soon(at + soon, fault, child.clone());
        }
    }

    fn edit_soon(&mut self, at: TrueTime, fault: usize, child: Child) {
        let change = Change { fault, child, what: ChildChange::Edited };
        self.serve_at(at, ServerEvent::ChildChanges(Box::new(change)));
    }
}

fn service_of(resource: ResourceIndex) -> Child {
    let (group, collection, plural) = KINDS[0];
    Child { group, collection, plural, name: resource_name(resource) }
}
