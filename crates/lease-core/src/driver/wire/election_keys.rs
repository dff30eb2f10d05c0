//! The labels and annotations that identify the Leases of an election.

use std::hash::Hasher;

use fnv::FnvHasher;
use k8s_openapi::api::coordination::v1::Lease;

use super::{BadLease, Selector, Takeover, observed};
use crate::annotations::AnnotationChanges;
use crate::driver::resource_lock::{RECORD_ANNOTATION, ResourceLock};
use crate::identity::Identity;
use crate::installation::Installation;
use crate::metadata::{InvalidMetadata, MAX_LABEL_VALUE, check_annotation_key};
use crate::name::{LeaderElectionId, LeaseName};
use crate::record::ObservedLease;

/// The keys of labels and annotations, the LeaderElectionID, the kind of the objects, and the installation of this process.
#[derive(Clone, Debug)]
pub(in crate::driver) struct ElectionKeys {
    lock: ResourceLock,
    /// The name of the Lease without a suffix.
    name: LeaseName,
    election_key: String,
    election_value: String,
    pub(super) successor_key: String,
    pub(super) takeover_key: String,
    installation_key: String,
    installation: Option<Installation>,
}

impl ElectionKeys {
    pub(in crate::driver) fn new(
        domain: &str,
        id: &LeaderElectionId,
        installation: Option<Installation>,
        lock: ResourceLock,
    ) -> Self {
        Self {
            lock,
            name: id.lease_name(),
            election_key: format!("{domain}/election"),
            election_value: label_value(id.as_str()),
            successor_key: format!("{domain}/successor"),
            takeover_key: Takeover::annotation(domain),
            installation_key: Installation::annotation(domain),
            installation,
        }
    }

    /// The selector of the one watch on all Leases of an operator.
    pub(in crate::driver) fn selector(&self) -> Selector {
        if self.lock.is_legacy() {
            Selector::Field(format!("metadata.name={}", self.name))
        } else {
            Selector::Label(format!("{}={}", self.election_key, self.election_value))
        }
    }

    /// Whether the watch selects this Lease.
    pub(in crate::driver) fn are_on(&self, lease: &Lease) -> bool {
        if self.lock.is_legacy() {
            return lease.metadata.name.as_deref() == Some(self.name.as_str());
        }
        let labels = lease.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(&self.election_key)) == Some(&self.election_value)
    }

    /// Checks that the holder may set these on a Lease.
    pub(in crate::driver) fn check(&self, changes: &AnnotationChanges) -> Result<(), InvalidMetadata> {
        for key in changes.keys() {
            check_annotation_key(key)?;
            self.check_reserved(key)?;
        }
        Ok(())
    }

    pub(super) fn check_reserved(&self, key: &str) -> Result<(), InvalidMetadata> {
        let reserved = [&self.election_key, &self.successor_key, &self.takeover_key, &self.installation_key];
        let is_record = self.lock.is_legacy() && key == RECORD_ANNOTATION;
        if is_record || reserved.into_iter().any(|reserved| reserved == key) {
            return Err(InvalidMetadata::Reserved { key: key.to_owned() });
        }
        Ok(())
    }

    pub(in crate::driver) fn observed(&self, lease: &Lease) -> Result<ObservedLease, BadLease> {
        let lease_is_readable = lease.spec.is_some() || !self.lock.is_legacy();
        let annotations = lease.metadata.annotations.as_ref();
        if !lease_is_readable && annotations.is_some_and(|all| all.contains_key(RECORD_ANNOTATION)) {
            return Err(BadLease::Record { kind: self.lock.noun(), name: self.name.to_string() });
        }
        Ok(ObservedLease { successor: self.successor(lease), ..observed(lease)? })
    }

    /// The successor that the last holder named when it released the Lease.
    pub(super) fn successor(&self, lease: &Lease) -> Option<Identity> {
        let successor = lease.metadata.annotations.as_ref()?.get(&self.successor_key)?;
        Identity::new(successor.clone()).ok()
    }

    /// Sets the label of this election and the annotation of this installation. Without an installation, the annotation is removed,
    /// because the Lease must not name that of an earlier holder.
    pub(in crate::driver) fn put_on(&self, lease: &mut Lease) {
        let labels = lease.metadata.labels.get_or_insert_default();
        labels.insert(self.election_key.clone(), self.election_value.clone());
        let annotations = lease.metadata.annotations.get_or_insert_default();
        match &self.installation {
            Some(own) => annotations.insert(self.installation_key.clone(), own.to_string()),
            None => annotations.remove(&self.installation_key),
        };
    }
}

/// The ID itself if it fits into a label, so that people can select by it; otherwise its beginning and a hash.
fn label_value(id: &str) -> String {
    if id.len() <= MAX_LABEL_VALUE {
        return id.to_owned();
    }
    // It only has to distinguish the few operators of a namespace.
    let mut hash = FnvHasher::default();
    hash.write(id.as_bytes());
    format!("{}-{:016x}", id[..40].trim_end_matches(['-', '.']), hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_id_becomes_a_valid_label_value() {
        let long = format!("{}.example.com", "a".repeat(200));
        let value = label_value(&long);
        assert!(value.len() <= MAX_LABEL_VALUE && value.starts_with("aaaa"), "{value}");
        assert_ne!(value, label_value(&format!("{}.example.org", "a".repeat(200))));
        assert_eq!(label_value("backup.example.com"), "backup.example.com");
    }
}
