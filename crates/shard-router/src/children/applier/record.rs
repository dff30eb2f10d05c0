//! Keeps what becomes of the children: for the pauses between writes, and for the status and events of their owner.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::Resource;

use super::{
    super::{
        differences::{Difference, described},
        dispute::DisputeState,
        restoring::Cause,
    },
    Applied, Applier, Change, Target, Why,
};

/// One child before and after a write.
pub(super) struct Written<'a, C> {
    pub(super) why: Why,
    /// What was there.
    pub(super) seen: Option<&'a C>,
    /// Where that differed from what was applied, for another reason than admission.
    pub(super) drift: Vec<Difference>,
    pub(super) applied: &'a C,
    /// Where the API server's answer differs from what was applied.
    pub(super) answer: Vec<Difference>,
}

impl Applier {
    pub(super) fn as_wanted(&self, target: &Target<'_>) {
        let asks_for_more = self.asks_for_more(target);
        let mut restorations = self.restorations();
        if asks_for_more {
            restorations.renewed(&target.child, target.owner.generation);
        }
        restorations.stored(&target.child);
    }

    pub(super) fn held_back<C: Resource>(&self, target: &Target<'_>, drift: &[Difference], seen: Option<&C>) {
        match seen {
            None => {
                self.restorations().held_back(&target.child, DisputeState::Missing, String::new);
            }
            Some(_) if drift.is_empty() => {}
            Some(seen) => {
                let details = || self.described(drift, seen);
                self.restorations().held_back(&target.child, DisputeState::Differs, details);
            }
        }
    }

    /// Notes what a write has come to.
    pub(super) fn note<C: Resource>(
        &self,
        target: &Target<'_>,
        written: Written<'_, C>,
        done: &mut Applied<C>,
    ) {
        let Written { why, seen, drift, applied, answer } = written;
        let Target { child, name, owner, .. } = target;
        let now = (self.now(), owner.generation);
        let restored = |details| {
            let told = (name.as_str(), DisputeState::Restored, details);
            self.restorations().record(child, Cause::Others, now, told, Vec::new()).times
        };
        let change = match seen {
            None if why == Why::Spec || restored(String::new()) == 1 => Change::Created,
            None => Change::Recreated,
            Some(seen) if seen.meta().resource_version == applied.meta().resource_version => Change::None,
            Some(_) if why == Why::Spec => Change::Updated,
            Some(_) if why == Why::Build => {
                // Once. Whoever keeps changing the digest is met like whoever keeps changing a field.
                restored(String::new());
                Change::Updated
            }
            Some(_) if drift.is_empty() => Change::None,
            Some(seen) => {
                restored(self.described(&drift, seen));
                let is_restored = |field: &Difference| !answer.iter().any(|stored| stored.is_at(field));
                let fields: Vec<_> = drift.into_iter().filter(is_restored).collect();
                if fields.is_empty() { Change::None } else { Change::Restored(self.described(&fields, seen)) }
            }
        };
        // The second attempt after a conflict may have nothing to do; what the first one did stays.
        if change != Change::None {
            done.change = change;
        }
        if why == Why::Spec {
            self.restorations().renewed(child, owner.generation);
        }
        if answer.is_empty() {
            self.restorations().stored(child);
        } else {
            let details = described(&answer, &[], &self.field_manager);
            let told = (name.as_str(), DisputeState::Admitted, details);
            let dispute = self.restorations().record(child, Cause::Admission, now, told, answer);
            done.admitted = Some(dispute);
        }
    }

    fn described<C: Resource>(&self, fields: &[Difference], seen: &C) -> String {
        described(fields, managed_fields(seen), &self.field_manager)
    }
}

fn managed_fields<C: Resource>(object: &C) -> &[ManagedFieldsEntry] {
    object.meta().managed_fields.as_deref().unwrap_or_default()
}
