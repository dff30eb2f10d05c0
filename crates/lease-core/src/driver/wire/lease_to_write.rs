//! The object of a write: the record, and the labels and annotations of the Lease.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{ComputedAnnotations, ElectionKeys, Takeover, write_record};
use crate::driver::invalid_option::InvalidOption;
use crate::effect::Write;
use crate::metadata::{check_annotations, check_annotations_size, check_labels};
use crate::name::LeaseName;

/// What a candidate writes to its Lease in addition to the record.
#[derive(Clone, Debug, Default)]
pub(in crate::driver) struct LeaseMetadata {
    pub(in crate::driver) owner: Option<OwnerReference>,
    pub(in crate::driver) labels: BTreeMap<String, String>,
    pub(in crate::driver) annotations: BTreeMap<String, String>,
    pub(in crate::driver) computed: Option<ComputedAnnotations>,
}

impl LeaseMetadata {
    /// Checks what the API server would otherwise refuse with every write of the Lease.
    pub(in crate::driver) fn check(&self, election_keys: &ElectionKeys) -> Result<(), InvalidOption> {
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

/// The object for `write` on top of `base`. Everything that others have written is kept.
pub(in crate::driver) fn lease_to_write(
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
    if let Some(computed) = &metadata.computed {
        let computed = computed.of(write.kind, annotations);
        annotations.extend(computed);
    }
    annotations.remove(&election_keys.successor_key);
    if let Some(successor) = &write.successor {
        annotations.insert(election_keys.successor_key.clone(), successor.to_string());
        // The successor only saves time. If the annotations are too large, the release is more important.
        if check_annotations_size(annotations).is_err() {
            annotations.remove(&election_keys.successor_key);
        }
    }
    let named = base.and_then(|base| election_keys.successor(base));
    Takeover::put_on(&mut lease, &election_keys.takeover_key, write, base, named.as_ref());
    if let Some(owner) = &metadata.owner {
        let owners = lease.metadata.owner_references.get_or_insert_default();
        owners.retain(|other| other.uid != owner.uid);
        owners.push(owner.clone());
    }
    lease
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use k8s_openapi::api::coordination::v1::LeaseSpec;

    use super::*;
    use crate::driver::resource_lock::ResourceLock;
    use crate::effect::{AttemptId, WriteKind};
    use crate::identity::Identity;
    use crate::installation::Installation;
    use crate::name::LeaderElectionId;
    use crate::record::LeaseRecord;

    fn election_keys() -> ElectionKeys {
        election_keys_of(None)
    }

    fn election_keys_of(installation: Option<&str>) -> ElectionKeys {
        let id = LeaderElectionId::new("a.example.com").expect("valid");
        let installation = installation.map(|name| Installation::new(name).expect("valid"));
        ElectionKeys::new("cache.example.com", &id, installation, ResourceLock::Leases)
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
}
