//! Conversion between Lease objects of kube and records of the state machine.

mod computed_annotations;
mod election_keys;
mod election_record;
mod lease_to_write;
mod lock_format;
mod lock_object;
mod selector;
mod takeover;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use super::resource_lock::RECORD_ANNOTATION;
use crate::identity::Identity;
use crate::name::LeaseName;
use crate::record::{LeaseRecord, ObservedLease};
use crate::revision::{OpaqueVersion, Revision, Uid};

pub(super) use computed_annotations::ComputedAnnotations;
pub(super) use election_keys::ElectionKeys;
pub(super) use lease_to_write::{LeaseMetadata, lease_to_write};
pub(super) use lock_format::LockFormat;
pub(super) use lock_object::LockObject;
pub(super) use selector::Selector;
pub use takeover::{Takeover, TakeoverReason};

/// The API server sent an invalid Lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLease {
    /// A field is missing that every API server sets.
    #[error("the API server sent a Lease without metadata.{0}; is there a proxy that cuts it out?")]
    Without(&'static str),
    /// The resourceVersion is not an integer, see [`OpaqueVersion`].
    #[error(transparent)]
    Version(#[from] OpaqueVersion),
    /// The record of a legacy lock cannot be read ([`ResourceLock`](crate::ResourceLock)). Nobody knows then who holds it, so it is not acquired.
    #[error(
        "the annotation {RECORD_ANNOTATION} of {kind} {name} is no record of an election, so this process does not acquire it; find out \
         who writes it, and remove the annotation when nobody holds the lock"
    )]
    Record {
        /// The kind of the object, such as `configmap`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
}

/// Converts a Lease object, except for the successor that its last holder may have named: only the candidates know its annotation.
///
/// # Errors
///
/// If the name, the uid or a valid resourceVersion is missing. No API server sends such an object.
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

/// A new Lease without a holder, in the form that a release writes. Any candidate may take it at once.
pub fn released_lease(name: &LeaseName, at: Timestamp) -> Lease {
    new_lease(name, &LeaseRecord::released(at, 0))
}

/// A new Lease with a placeholder as holder. Candidates may take it `lease_duration` after they have seen it.
pub fn reserved_lease(name: &LeaseName, lease_duration: Duration, at: Timestamp) -> Lease {
    new_lease(name, &LeaseRecord::reserved(at, lease_duration, 0))
}

fn new_lease(name: &LeaseName, record: &LeaseRecord) -> Lease {
    let metadata = ObjectMeta { name: Some(name.as_str().to_owned()), ..ObjectMeta::default() };
    let mut lease = Lease { metadata, spec: None };
    write_record(record, &mut lease);
    lease
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
    // client-go writes an empty string instead of omitting the field, and treats both as no holder.
    spec.holder_identity = Some(record.holder.as_ref().map(ToString::to_string).unwrap_or_default());
    spec.lease_duration_seconds =
        record.lease_duration.map(|duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX));
    spec.acquire_time = record.acquire_time.map(MicroTime);
    spec.renew_time = record.renew_time.map(MicroTime);
    spec.lease_transitions = Some(i32::try_from(record.transitions).unwrap_or(i32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
