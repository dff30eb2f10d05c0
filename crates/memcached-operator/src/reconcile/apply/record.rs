//! Keeps what becomes of the children: for the pauses between writes, and for the status and events of the resource.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::Resource;

use super::{Why, Writer};
use crate::reconcile::differences::{Difference, described};
use crate::reconcile::dispute::State;
use crate::reconcile::mending::{Cause, Child};

/// One child before and after a write.
pub(super) struct Written<'a, K> {
    pub(super) name: &'a str,
    pub(super) child: &'a Child,
    pub(super) why: Why,
    /// What was there.
    pub(super) seen: Option<&'a K>,
    /// Where that differed from what was applied, for another reason than admission.
    pub(super) drift: Vec<Difference>,
    pub(super) applied: &'a K,
    /// Where the API server's answer differs from what was applied.
    pub(super) answer: Vec<Difference>,
}

impl Writer<'_> {
    pub(super) fn as_wanted(&self, child: &Child) {
        let mut mendings = self.mendings();
        if self.is_new() {
            mendings.renewed(child);
        }
        mendings.stored(child);
    }

    pub(super) fn held_back<K: Resource>(&self, child: &Child, drift: &[Difference], seen: Option<&K>) {
        match seen {
            None => self.mendings().held_back(child, State::Missing, String::new),
            Some(_) if drift.is_empty() => {}
            Some(seen) => {
                let details = || described(drift, managed_fields(seen));
                self.mendings().held_back(child, State::Differs, details);
            }
        }
    }

    /// Notes what a write has come to.
    pub(super) fn note<K: Resource>(&mut self, written: Written<'_, K>) {
        let Written { name, child, why, seen, drift, applied, answer } = written;
        let now = self.now();
        let restored = |writer: &Self, details| {
            let told = (name, State::Restored, details);
            writer.mendings().mended(child, Cause::Others, now, told, Vec::new()).times
        };
        match seen {
            None if why == Why::Spec || restored(self, String::new()) == 1 => {
                self.done.created.push(name.to_owned());
            }
            None => self.done.recreated.push(name.to_owned()),
            Some(seen) if seen.meta().resource_version == applied.meta().resource_version => {}
            Some(_) if why == Why::Spec => self.done.updated.push(name.to_owned()),
            Some(_) if why == Why::Build => {
                // Once. Whoever keeps changing the digest is met like whoever keeps changing a field.
                restored(self, String::new());
                self.done.updated.push(name.to_owned());
            }
            Some(_) if drift.is_empty() => {}
            Some(seen) => {
                restored(self, described(&drift, managed_fields(seen)));
                let is_restored = |field: &Difference| !answer.iter().any(|stored| stored.is_at(field));
                let fields: Vec<_> = drift.into_iter().filter(is_restored).collect();
                if !fields.is_empty() {
                    self.done.mended.push(format!("{name} ({})", described(&fields, managed_fields(seen))));
                }
            }
        }
        if why == Why::Spec {
            self.mendings().renewed(child);
        }
        if answer.is_empty() {
            self.mendings().stored(child);
        } else {
            let details = described(&answer, &[]);
            let told = (name, State::Admitted, details);
            let dispute = self.mendings().mended(child, Cause::Admission, now, told, answer);
            self.done.admitted.push(dispute);
        }
    }
}

fn managed_fields<K: Resource>(object: &K) -> &[ManagedFieldsEntry] {
    object.meta().managed_fields.as_deref().unwrap_or_default()
}
