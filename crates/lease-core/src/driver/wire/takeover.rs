//! Why a Lease could be taken, as the one who took it records it.

use std::fmt;

use k8s_openapi::api::coordination::v1::Lease;
use serde::{Deserialize, Serialize};

use super::record;
use crate::effect::{Write, WriteKind};
use crate::identity::Identity;
use crate::metadata::check_annotations_size;

/// Why a Lease could be taken. In JSON one word, such as `handed-over`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TakeoverReason {
    /// The Lease was new.
    Created,
    /// Somebody had deleted the Lease. It was created again, and had to expire.
    Deleted,
    /// The former holder released it and named this process as its successor.
    HandedOver,
    /// It was released, and not for this process. A Lease that was created without a holder looks the same.
    Released,
    /// The former holder did not renew it for as long as it stated (LeaseDuration): its process had ended without a release, was stopped, or was cut off. Or a process
    /// that restarted in place (`ElectionsOptions::state_dir`) took it back sooner; then `from` is the process before it.
    Expired,
    /// Somebody had removed the holder by hand, and the Lease had to expire.
    Blanked,
    /// A word of another version.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for TakeoverReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::HandedOver => "handed-over",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Blanked => "blanked",
            Self::Other(word) => word,
        })
    }
}

/// The last change of a Lease's holder, as the holder records it in the annotation `<domain>/takeover` with the write that acquires the Lease.
///
/// It is for people. Nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// Why the Lease could be taken.
    pub reason: TakeoverReason,
    /// The holder before; `None` if there was none, or if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The holder that took it.
    to: String,
    /// leaseTransitions as it was written with the acquisition.
    transitions: i32,
}

impl Takeover {
    /// The key of the annotation: `<domain>/takeover`.
    pub fn annotation(domain: &str) -> String {
        format!("{domain}/takeover")
    }

    /// Why the present holder of this Lease could take it, or the last one if it is free. `None` if that is not recorded: by an older version, or by a client that
    /// knows nothing of the annotation and has left that of an earlier holder as it was.
    pub fn read(domain: &str, lease: &Lease) -> Option<Self> {
        Self::under(&Self::annotation(domain), lease)
    }

    fn under(key: &str, lease: &Lease) -> Option<Self> {
        let takeover: Self = serde_json::from_str(lease.metadata.annotations.as_ref()?.get(key)?).ok()?;
        let spec = lease.spec.as_ref()?;
        let holder = spec.holder_identity.as_deref().filter(|holder| !holder.is_empty());
        let is_of_holder = holder.is_none_or(|holder| holder == takeover.to);
        (is_of_holder && spec.lease_transitions == Some(takeover.transitions)).then_some(takeover)
    }

    /// Records under `key` what `write` takes over, in the annotations of `lease`, which it makes of `base`. Any other write leaves the annotation as it is.
    /// `successor` is the one that `base` names.
    pub(super) fn put_on(
        lease: &mut Lease,
        key: &str,
        write: &Write,
        base: Option<&Lease>,
        successor: Option<&Identity>,
    ) {
        let Some(takeover) = Self::of(key, write, base, successor) else { return };
        let Ok(json) = serde_json::to_string(&takeover) else { return };
        let annotations = lease.metadata.annotations.get_or_insert_default();
        annotations.insert(key.to_owned(), json);
        // The acquisition is more important.
        if check_annotations_size(annotations).is_err() {
            annotations.remove(key);
        }
    }

    /// `None` if the write does not change the holder.
    fn of(key: &str, write: &Write, base: Option<&Lease>, successor: Option<&Identity>) -> Option<Self> {
        if write.kind != WriteKind::Acquire {
            return None;
        }
        let to = write.record.holder.as_ref()?;
        // leaseTransitions goes on from that of a deleted Lease, if this process has seen it.
        let new =
            if write.record.transitions > 0 { TakeoverReason::Deleted } else { TakeoverReason::Created };
        let Some(base) = base else { return Some(Self::new(new, None, to, write)) };
        let before = base.spec.as_ref().map(record).unwrap_or_default();
        // A release leaves the annotation of the one who releases, which is how its name is known.
        let last = || Self::under(key, base).map(|takeover| takeover.to);
        let (reason, from) = match &before.holder {
            Some(holder) if holder == to => return None,
            Some(_) if before.is_reserved() => (new, None),
            Some(holder) => (TakeoverReason::Expired, Some(holder.to_string())),
            None if !before.is_released() => (TakeoverReason::Blanked, last()),
            None if successor == Some(to) => (TakeoverReason::HandedOver, last()),
            None => (TakeoverReason::Released, last()),
        };
        Some(Self::new(reason, from, to, write))
    }

    fn new(reason: TakeoverReason, from: Option<String>, to: &Identity, write: &Write) -> Self {
        let transitions = i32::try_from(write.record.transitions).unwrap_or(i32::MAX);
        Self { reason, from, to: to.to_string(), transitions }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::super::{ElectionKeys, LeaseMetadata, lease_to_write, released_lease, reserved_lease};
    use super::*;
    use crate::driver::resource_lock::ResourceLock;
    use crate::effect::AttemptId;
    use crate::name::{LeaderElectionId, LeaseName};
    use crate::record::LeaseRecord;

    const DOMAIN: &str = "cache.example.com";

    fn keys() -> ElectionKeys {
        let id = LeaderElectionId::new("a.example.com").expect("valid");
        ElectionKeys::new(DOMAIN, &id, None, ResourceLock::Leases)
    }

    fn name() -> LeaseName {
        LeaseName::from_server("a.example.com")
    }

    fn written(kind: WriteKind, record: LeaseRecord, base: Option<&Lease>, successor: Option<&str>) -> Lease {
        let successor = successor.map(|successor| Identity::new(successor).expect("valid"));
        let write = Write { attempt: AttemptId(1), kind, base: None, record, successor };
        lease_to_write(&write, base, &name(), &keys(), &LeaseMetadata::default())
    }

    fn acquired(by: &str, transitions: u32, base: Option<&Lease>) -> Lease {
        let record = LeaseRecord {
            holder: Some(Identity::new(by).expect("valid")),
            lease_duration: Some(Duration::from_secs(15)),
            acquire_time: None,
            renew_time: None,
            transitions,
        };
        written(WriteKind::Acquire, record, base, None)
    }

    fn released(lease: &Lease, successor: Option<&str>) -> Lease {
        let transitions =
            u32::try_from(lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0));
        let record = LeaseRecord::released(Timestamp::UNIX_EPOCH, transitions.expect("not negative"));
        written(WriteKind::Release, record, Some(lease), successor)
    }

    fn said(lease: &Lease) -> Option<(TakeoverReason, Option<String>)> {
        Takeover::read(DOMAIN, lease).map(|takeover| (takeover.reason, takeover.from))
    }

    #[test]
    fn what_was_found_is_the_reason() {
        let from = |name: &str| Some(name.to_owned());
        let first = acquired("a_1", 3, Some(&released_lease(&name(), Timestamp::UNIX_EPOCH)));
        assert_eq!(said(&first), Some((TakeoverReason::Released, None)));
        let base = acquired("b_1", 4, Some(&first));
        assert_eq!(said(&base), Some((TakeoverReason::Expired, from("a_1"))));
        let base = acquired("c_1", 5, Some(&released(&base, None)));
        assert_eq!(said(&base), Some((TakeoverReason::Released, from("b_1"))));
        let base = acquired("d_1", 6, Some(&released(&base, Some("d_1"))));
        assert_eq!(said(&base), Some((TakeoverReason::HandedOver, from("c_1"))));
        let base = acquired("f_1", 7, Some(&released(&base, Some("e_1"))));
        assert_eq!(said(&base), Some((TakeoverReason::Released, from("d_1"))), "it was for another");
        let mut blanked = base;
        blanked.spec.as_mut().expect("a record").holder_identity = None;
        let base = acquired("g_1", 8, Some(&blanked));
        assert_eq!(said(&base), Some((TakeoverReason::Blanked, from("f_1"))));
    }

    #[test]
    fn a_lease_that_was_deleted_is_told_from_a_first_one() {
        assert_eq!(said(&acquired("a_1", 0, None)), Some((TakeoverReason::Created, None)));
        assert_eq!(said(&acquired("a_1", 4, None)), Some((TakeoverReason::Deleted, None)));
        let reserved = reserved_lease(&name(), Duration::from_secs(15), Timestamp::UNIX_EPOCH);
        assert_eq!(said(&acquired("a_1", 0, Some(&reserved))), Some((TakeoverReason::Created, None)));
        assert_eq!(said(&acquired("a_1", 4, Some(&reserved))), Some((TakeoverReason::Deleted, None)));
    }

    #[test]
    fn it_stays_with_renewals_and_when_the_same_process_takes_the_lease_again() {
        let lease = acquired("b_1", 4, Some(&acquired("a_1", 3, None)));
        let expected = said(&lease);
        assert_eq!(expected, Some((TakeoverReason::Expired, Some("a_1".to_owned()))));
        let record = record(lease.spec.as_ref().expect("a record"));
        assert_eq!(said(&written(WriteKind::Renew, record, Some(&lease), None)), expected);
        assert_eq!(said(&acquired("b_1", 4, Some(&lease))), expected);
        assert_eq!(said(&released(&lease, None)), expected, "of the last holder");
    }

    /// client-go, and older versions, keep annotations as they are.
    #[test]
    fn that_of_an_earlier_holder_is_not_taken_for_that_of_the_present_one() {
        let lease = acquired("a_1", 3, None);
        let mut taken = lease.clone();
        taken.spec.as_mut().expect("a record").holder_identity = Some("go_1".into());
        assert_eq!(said(&taken), None);
        taken.spec.as_mut().expect("a record").lease_transitions = Some(4);
        taken.spec.as_mut().expect("a record").holder_identity = Some("a_1".into());
        assert_eq!(said(&taken), None);
        // Nor is its name that of whoever released.
        let base = acquired("b_1", 5, Some(&released(&taken, None)));
        assert_eq!(said(&base), Some((TakeoverReason::Released, None)));
    }

    #[test]
    fn it_is_left_out_where_it_does_not_fit_and_a_word_of_another_version_is_kept() {
        let mut full = released_lease(&name(), Timestamp::UNIX_EPOCH);
        full.metadata.annotations =
            Some([("full".to_owned(), "x".repeat(crate::metadata::MAX_ANNOTATIONS - 10))].into());
        let lease = acquired("a_1", 1, Some(&full));
        assert_eq!(said(&lease), None);
        assert!(lease.metadata.annotations.is_some_and(|annotations| annotations.contains_key("full")));
        let json = r#"{"reason":"restarted-in-place","from":"a_0","to":"a_1","transitions":3}"#;
        let takeover: Takeover = serde_json::from_str(json).expect("a takeover");
        assert_eq!(takeover.reason, TakeoverReason::Other("restarted-in-place".to_owned()));
        assert_eq!(serde_json::to_string(&takeover).expect("plain data"), json);
    }
}
