//! Lease objects, as kube knows them, and records, as the state machine knows them.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::time::Duration;

use fnv::FnvHasher;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};

use super::invalid_option::InvalidOption;
use crate::annotations::AnnotationChanges;
use crate::effect::Write;
use crate::identity::Identity;
use crate::installation::Installation;
use crate::metadata::{
    InvalidMetadata, MAX_LABEL_VALUE, check_annotation_key, check_annotations, check_annotations_size,
    check_labels,
};
use crate::name::{LeaderElectionId, LeaseName};
use crate::record::{LeaseRecord, ObservedLease};
use crate::revision::{OpaqueVersion, Revision, Uid};

/// What the API server sent is no Lease that one could work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLease {
    /// No API server sends an object without these.
    #[error("the API server sent a Lease without metadata.{0}; is there a proxy that cuts it out?")]
    Without(&'static str),
    /// See [`OpaqueVersion`].
    #[error(transparent)]
    Version(#[from] OpaqueVersion),
}

/// What stands before the `/`, which election's Leases these are, and whose this process writes.
#[derive(Clone, Debug)]
pub(super) struct ElectionKeys {
    election_key: String,
    election_value: String,
    successor_key: String,
    installation_key: String,
    installation: Option<Installation>,
}

impl ElectionKeys {
    pub(super) fn new(domain: &str, id: &LeaderElectionId, installation: Option<Installation>) -> Self {
        Self {
            election_key: format!("{domain}/election"),
            election_value: label_value(id.as_str()),
            successor_key: format!("{domain}/successor"),
            installation_key: Installation::annotation(domain),
            installation,
        }
    }

    /// The selector of the one watch on all Leases of an operator.
    pub(super) fn selector(&self) -> String {
        format!("{}={}", self.election_key, self.election_value)
    }

    /// Whether the watch selects this Lease.
    pub(super) fn are_on(&self, lease: &Lease) -> bool {
        let labels = lease.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(&self.election_key)) == Some(&self.election_value)
    }

    /// Whether these may be written on a Lease by whoever holds it.
    pub(super) fn check(&self, changes: &AnnotationChanges) -> Result<(), InvalidMetadata> {
        for key in changes.keys() {
            check_annotation_key(key)?;
            self.check_reserved(key)?;
        }
        Ok(())
    }

    fn check_reserved(&self, key: &str) -> Result<(), InvalidMetadata> {
        let reserved = [&self.election_key, &self.successor_key, &self.installation_key];
        if reserved.into_iter().any(|reserved| reserved == key) {
            return Err(InvalidMetadata::Reserved { key: key.to_owned() });
        }
        Ok(())
    }

    pub(super) fn observed(&self, lease: &Lease) -> Result<ObservedLease, BadLease> {
        let mut observed = observed(lease)?;
        let annotations = lease.metadata.annotations.as_ref();
        let successor = annotations.and_then(|annotations| annotations.get(&self.successor_key));
        observed.successor = successor.and_then(|successor| Identity::new(successor.clone()).ok());
        Ok(observed)
    }
}

/// What one candidate puts on its Lease besides the record.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaseMetadata {
    pub(super) owner: Option<OwnerReference>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

impl LeaseMetadata {
    /// Whether the API server would take it. What it refuses here would be refused with every write of the Lease.
    pub(super) fn check(&self, election_keys: &ElectionKeys) -> Result<(), InvalidOption> {
        check_labels(&self.labels)?;
        check_annotations(&self.annotations)?;
        self.labels
            .keys()
            .chain(self.annotations.keys())
            .try_for_each(|key| election_keys.check_reserved(key))?;
        match &self.owner {
            Some(owner) if owner.api_version.is_empty() || owner.kind.is_empty() => {
                Err(InvalidOption::Owner("apiVersion or kind"))
            }
            Some(owner) if owner.name.is_empty() || owner.uid.is_empty() => {
                Err(InvalidOption::Owner("name or uid"))
            }
            _ => Ok(()),
        }
    }
}

/// Reads a Lease, but for the successor that its last holder may have named: under which annotation, only the candidates know.
///
/// # Errors
///
/// It has no name, no uid or no resourceVersion that one could work with. No API server sends such an object.
pub fn observed(lease: &Lease) -> Result<ObservedLease, BadLease> {
    let meta = &lease.metadata;
    let name = meta.name.as_deref().ok_or(BadLease::Without("name"))?;
    let uid = meta.uid.clone().ok_or(BadLease::Without("uid"))?;
    let version = meta.resource_version.as_deref().ok_or(BadLease::Without("resourceVersion"))?.parse()?;
    Ok(ObservedLease {
        name: LeaseName::from_server(name),
        revision: Revision { uid: Uid(uid), version },
        record: lease.spec.as_ref().map(record).unwrap_or_default(),
        successor: None,
    })
}

/// A new Lease that nobody holds, in the form that a release writes: whoever comes first may take it.
pub fn released_lease(name: &LeaseName, at: Timestamp) -> Lease {
    new_lease(name, &LeaseRecord::released(at, 0))
}

/// A new Lease that nobody holds, but that has to expire before anyone may: `lease_duration` after they have seen it.
pub fn reserved_lease(name: &LeaseName, lease_duration: Duration, at: Timestamp) -> Lease {
    new_lease(name, &LeaseRecord::reserved(at, lease_duration, 0))
}

fn new_lease(name: &LeaseName, record: &LeaseRecord) -> Lease {
    let metadata = ObjectMeta { name: Some(name.as_str().to_owned()), ..ObjectMeta::default() };
    let mut lease = Lease { metadata, spec: None };
    write_record(record, &mut lease);
    lease
}

/// The object that carries out `write` on `base`: everything that others wrote is kept.
pub(super) fn lease_to_write(
    write: &Write,
    base: Option<&Lease>,
    name: &LeaseName,
    election_keys: &ElectionKeys,
    metadata: &LeaseMetadata,
) -> Lease {
    let mut lease = base.cloned().unwrap_or_default();
    lease.metadata.name = Some(name.as_str().to_owned());
    write_record(&write.record, &mut lease);
    election_keys.put_on(&mut lease);
    lease.metadata.labels.get_or_insert_default().extend(metadata.labels.clone());
    let annotations = lease.metadata.annotations.get_or_insert_default();
    annotations.extend(metadata.annotations.clone());
    annotations.remove(&election_keys.successor_key);
    if let Some(successor) = &write.successor {
        annotations.insert(election_keys.successor_key.clone(), successor.to_string());
        // To name a successor saves time. Where there is no room, the release matters more.
        if check_annotations_size(annotations).is_err() {
            annotations.remove(&election_keys.successor_key);
        }
    }
    if let Some(owner) = &metadata.owner {
        let owners = lease.metadata.owner_references.get_or_insert_default();
        owners.retain(|other| other.uid != owner.uid);
        owners.push(owner.clone());
    }
    lease
}

impl ElectionKeys {
    /// Marks a Lease as one of this election's, written by this installation. One that has no name takes another's off:
    /// a Lease must not say that it is held by who held it before.
    pub(super) fn put_on(&self, lease: &mut Lease) {
        let labels = lease.metadata.labels.get_or_insert_default();
        labels.insert(self.election_key.clone(), self.election_value.clone());
        let annotations = lease.metadata.annotations.get_or_insert_default();
        match &self.installation {
            Some(own) => annotations.insert(self.installation_key.clone(), own.to_string()),
            None => annotations.remove(&self.installation_key),
        };
    }
}

fn record(spec: &LeaseSpec) -> LeaseRecord {
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    LeaseRecord {
        holder: spec.holder_identity.clone().and_then(|holder| Identity::new(holder).ok()),
        lease_duration: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        acquire_time: spec.acquire_time.as_ref().map(|time| time.0),
        renew_time: spec.renew_time.as_ref().map(|time| time.0),
        transitions: spec.lease_transitions.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
    }
}

fn write_record(record: &LeaseRecord, lease: &mut Lease) {
    let spec = lease.spec.get_or_insert_default();
    // client-go writes an empty string, not an absent field, and reads both as nobody.
    spec.holder_identity = Some(record.holder.as_ref().map(ToString::to_string).unwrap_or_default());
    spec.lease_duration_seconds =
        record.lease_duration.map(|duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX));
    spec.acquire_time = record.acquire_time.map(MicroTime);
    spec.renew_time = record.renew_time.map(MicroTime);
    spec.lease_transitions = Some(i32::try_from(record.transitions).unwrap_or(i32::MAX));
}

/// The ID itself where it fits into a label, so that people can select by it; else its beginning and a hash of it.
fn label_value(id: &str) -> String {
    if id.len() <= MAX_LABEL_VALUE {
        return id.to_owned();
    }
    // It only has to tell apart the few operators of one namespace.
    let mut hash = FnvHasher::default();
    hash.write(id.as_bytes());
    format!("{}-{:016x}", id[..40].trim_end_matches(['-', '.']), hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{AttemptId, WriteKind};

    fn election_keys() -> ElectionKeys {
        election_keys_of(None)
    }

    fn election_keys_of(installation: Option<&str>) -> ElectionKeys {
        let id = LeaderElectionId::new("a.example.com").expect("valid");
        let installation = installation.map(|name| Installation::new(name).expect("valid"));
        ElectionKeys::new("cache.example.com", &id, installation)
    }

    fn write(successor: Option<&str>) -> Write {
        Write {
            attempt: AttemptId(1),
            kind: WriteKind::Renew,
            base: None,
            record: LeaseRecord {
                holder: Some(Identity::new("pod_1").expect("valid")),
                lease_duration: Some(Duration::from_secs(15)),
                acquire_time: None,
                renew_time: Timestamp::from_microsecond(1_700_000_000_123_456).ok(),
                transitions: 3,
            },
            successor: successor.map(|successor| Identity::new(successor).expect("valid")),
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut lease = lease_to_write(
            &write(Some("pod_2")),
            None,
            &LeaseName::from_server("a.example.com"),
            &election_keys(),
            &LeaseMetadata::default(),
        );
        lease.metadata.uid = Some("u".into());
        lease.metadata.resource_version = Some("7".into());
        let read = election_keys().observed(&lease).expect("complete");
        assert_eq!(read.record, write(None).record);
        assert_eq!(read.successor.expect("named").as_str(), "pod_2");
    }

    #[test]
    fn what_others_wrote_is_kept() {
        let mut base = Lease::default();
        base.metadata.labels = Some([("team".to_owned(), "a".to_owned())].into());
        base.metadata.annotations = Some(
            [("note".to_owned(), "b".to_owned()), (election_keys().successor_key, "old_1".to_owned())].into(),
        );
        base.spec = Some(LeaseSpec { strategy: Some("Coordinated".into()), ..LeaseSpec::default() });
        let name = LeaseName::from_server("a");
        let lease =
            lease_to_write(&write(None), Some(&base), &name, &election_keys(), &LeaseMetadata::default());
        assert_eq!(lease.metadata.labels.expect("labels")["team"], "a");
        let annotations = lease.metadata.annotations.expect("annotations");
        assert_eq!(annotations.into_iter().collect::<Vec<_>>(), [("note".to_owned(), "b".to_owned())]);
        assert_eq!(lease.spec.expect("spec").strategy.as_deref(), Some("Coordinated"));
    }

    #[test]
    fn each_write_says_whose_it_is_and_nobody_is_left_named_by_the_one_before() {
        let name = LeaseName::from_server("a");
        let ours = lease_to_write(
            &write(None),
            None,
            &name,
            &election_keys_of(Some("ns/a")),
            &LeaseMetadata::default(),
        );
        let said =
            |lease: &Lease| lease.metadata.annotations.clone()?.remove("cache.example.com/installation");
        assert_eq!(said(&ours).as_deref(), Some("ns/a"));
        let theirs = lease_to_write(
            &write(None),
            Some(&ours),
            &name,
            &election_keys_of(Some("ns/b")),
            &LeaseMetadata::default(),
        );
        assert_eq!(said(&theirs).as_deref(), Some("ns/b"));
        let unnamed =
            lease_to_write(&write(None), Some(&ours), &name, &election_keys(), &LeaseMetadata::default());
        assert_eq!(said(&unnamed), None);
    }

    #[test]
    fn a_blank_holder_is_nobody_and_an_odd_duration_is_none() {
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(-5),
            ..LeaseSpec::default()
        };
        assert_eq!(record(&spec), LeaseRecord::default());
        let lease = released_lease(&LeaseName::from_server("a"), Timestamp::UNIX_EPOCH);
        assert!(record(&lease.spec.expect("spec")).is_released());
    }

    #[test]
    fn a_long_id_becomes_a_valid_label_value() {
        let long = format!("{}.example.com", "a".repeat(200));
        let value = label_value(&long);
        assert!(value.len() <= MAX_LABEL_VALUE && value.starts_with("aaaa"), "{value}");
        assert_ne!(value, label_value(&format!("{}.example.org", "a".repeat(200))));
        assert_eq!(label_value("backup.example.com"), "backup.example.com");
    }
}
