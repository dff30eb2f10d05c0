//! Annotations that ride on the next renewal.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::sync::oneshot;

use super::super::candidate::{Annotations, NotLeading};
use crate::effect::AttemptId;
use crate::revision::Revision;

type Waiter = oneshot::Sender<Result<Revision, NotLeading>>;

#[derive(Debug)]
struct Wish {
    annotations: Annotations,
    tell: Waiter,
    /// The write that carries it, once there is one.
    carried_by: Option<AttemptId>,
}

/// Wishes that wait for a write, or for its answer.
#[derive(Debug, Default)]
pub(super) struct PendingAnnotations {
    wishes: Vec<Wish>,
}

impl PendingAnnotations {
    pub(super) fn add(&mut self, annotations: Annotations, tell: Waiter) {
        self.wishes.push(Wish { annotations, tell, carried_by: None });
    }

    /// Puts every wish on the object that is about to be written; the later one wins.
    pub(super) fn put_on(&mut self, lease: &mut Lease, attempt: AttemptId) {
        let on_lease: &mut BTreeMap<_, _> = lease.metadata.annotations.get_or_insert_default();
        for wish in &mut self.wishes {
            wish.carried_by = Some(attempt);
            for (key, value) in &wish.annotations {
                match value {
                    Some(value) => on_lease.insert(key.clone(), value.clone()),
                    None => on_lease.remove(key),
                };
            }
        }
    }

    /// The write has landed.
    pub(super) fn landed(&mut self, attempt: AttemptId, revision: &Revision) {
        let (done, rest) =
            std::mem::take(&mut self.wishes).into_iter().partition(|wish| wish.carried_by == Some(attempt));
        self.wishes = rest;
        for wish in done {
            let _ = wish.tell.send(Ok(revision.clone()));
        }
    }

    /// The write failed, or nobody knows: the next one carries the same again, which does no harm.
    pub(super) fn failed(&mut self, attempt: AttemptId) {
        for wish in &mut self.wishes {
            if wish.carried_by == Some(attempt) {
                wish.carried_by = None;
            }
        }
    }

    /// The term is over.
    pub(super) fn fail(&mut self) {
        for wish in self.wishes.drain(..) {
            let _ = wish.tell.send(Err(NotLeading));
        }
    }
}
