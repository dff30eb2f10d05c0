//! How Leases are read from and written to the objects of a resource lock.

use std::collections::VecDeque;
use std::sync::Arc;

use k8s_openapi::api::coordination::v1::Lease;
use parking_lot::Mutex;

use super::election_record::ElectionRecord;
use super::lock_object::{Contents, LockObject};
use crate::driver::resource_lock::{RECORD_ANNOTATION, ResourceLock};

/// An election with a legacy lock has one object, and its candidate writes on top of one of the last states that it has seen.
const KEPT: usize = 8;

/// Converts between objects of a resource lock and Leases, as which the rest of the driver sees them. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::driver) struct LockFormat {
    lock: ResourceLock,
    /// Of the last states that were decoded, newest first: what a Lease has no place for.
    remainders: Arc<Mutex<VecDeque<Remainder>>>,
}

/// What one state of a ConfigMap or of Endpoints has besides a Lease's metadata and record.
#[derive(Clone, Debug, Default)]
struct Remainder {
    state: State,
    record: ElectionRecord,
    contents: Contents,
}

/// uid and resourceVersion.
type State = (Option<String>, Option<String>);

impl LockFormat {
    pub(in crate::driver) fn of(lock: ResourceLock) -> Self {
        Self { lock, remainders: Arc::default() }
    }

    pub(in crate::driver) fn lock(&self) -> ResourceLock {
        self.lock
    }

    /// The Lease that an object stands for. The annotation with the record becomes the spec. If it cannot be read it stays where it is, and there is no spec.
    pub(in crate::driver) fn decode(&self, object: LockObject) -> Lease {
        if !self.lock.is_legacy() {
            return object.into_lease();
        }
        let (metadata, contents) = object.into_parts();
        let mut lease = Lease { metadata, spec: None };
        let annotations = lease.metadata.annotations.get_or_insert_default();
        let read = annotations.get(RECORD_ANNOTATION).and_then(|json| ElectionRecord::read(json).ok());
        let record = read.map(|(record, spec)| {
            annotations.remove(RECORD_ANNOTATION);
            lease.spec = Some(spec);
            record
        });
        self.keep(Remainder { state: state(&lease), record: record.unwrap_or_default(), contents });
        lease
    }

    /// The object that a Lease stands for. `None` if it is on top of a state that was decoded too long ago: then what else was in the object is not known any
    /// more, and it has changed since.
    pub(in crate::driver) fn encode(&self, mut lease: Lease) -> Option<LockObject> {
        if !self.lock.is_legacy() {
            return Some(LockObject::of_lease(lease));
        }
        let Remainder { record, contents, .. } = match state(&lease) {
            (_, None) => Remainder::default(),
            state => self.remainders.lock().iter().find(|kept| kept.state == state).cloned()?,
        };
        if let Some(spec) = &lease.spec {
            let annotations = lease.metadata.annotations.get_or_insert_default();
            annotations.insert(RECORD_ANNOTATION.to_owned(), record.written(spec));
        }
        Some(LockObject::of_parts(self.lock, lease.metadata, contents))
    }

    fn keep(&self, remainder: Remainder) {
        let mut remainders = self.remainders.lock();
        // After a restore of etcd, the same version may be another state.
        remainders.retain(|kept| kept.state != remainder.state);
        remainders.push_front(remainder);
        remainders.truncate(KEPT);
    }
}

fn state(lease: &Lease) -> State {
    (lease.metadata.uid.clone(), lease.metadata.resource_version.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const RECORD: &str = r#"{"acquireTime":null,"holderIdentity":"go_1","later":1,"leaderTransitions":3,"leaseDurationSeconds":15,"renewTime":"2026-01-02T03:04:07Z"}"#;

    fn config_map(version: u32, record: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"version": version.to_string()},
            "metadata": {
                "name": "n", "uid": "u", "resourceVersion": version.to_string(),
                "annotations": {"note": "b", RECORD_ANNOTATION: record},
            },
        })
    }

    fn decoded(format: &LockFormat, object: Value) -> Lease {
        format.decode(serde_json::from_value(object).expect("an object"))
    }

    fn encoded(format: &LockFormat, lease: Lease) -> Option<Value> {
        format.encode(lease).map(|object| serde_json::to_value(object).expect("plain data"))
    }

    #[test]
    fn everything_but_the_record_is_sent_back_as_it_was() {
        let format = LockFormat::of(ResourceLock::ConfigMaps);
        let mut lease = decoded(&format, config_map(7, RECORD));
        assert_eq!(encoded(&format, lease.clone()), Some(config_map(7, RECORD)));
        assert!(!lease.metadata.annotations.as_ref().expect("a note").contains_key(RECORD_ANNOTATION));
        lease.spec.as_mut().expect("a record").holder_identity = Some("rust_1".to_owned());
        assert_eq!(encoded(&format, lease), Some(config_map(7, &RECORD.replace("go_1", "rust_1"))));
    }

    #[test]
    fn a_state_is_written_over_only_with_what_was_in_it() {
        let format = LockFormat::of(ResourceLock::ConfigMaps);
        let first = decoded(&format, config_map(1, RECORD));
        let mut last = first.clone();
        for version in 2..=u32::try_from(KEPT).expect("a few") + 1 {
            last = decoded(&format, config_map(version, RECORD));
        }
        assert_eq!(encoded(&format, first), None);
        assert!(encoded(&format, last).is_some());
        assert_eq!(format.remainders.lock().len(), KEPT);
    }

    #[test]
    fn the_same_version_of_another_history_replaces_what_was_kept() {
        let format = LockFormat::of(ResourceLock::ConfigMaps);
        let lease = decoded(&format, config_map(1, RECORD));
        let mut other = config_map(1, RECORD);
        other["data"] = json!({"restored": "yes"});
        decoded(&format, other.clone());
        assert_eq!(encoded(&format, lease), Some(other));
    }

    #[test]
    fn a_record_that_cannot_be_read_stays_where_it_is() {
        let format = LockFormat::of(ResourceLock::ConfigMaps);
        let lease = decoded(&format, config_map(1, "{"));
        assert_eq!(lease.spec, None);
        assert_eq!(lease.metadata.annotations.as_ref().expect("two")[RECORD_ANNOTATION], "{");
    }

    #[test]
    fn a_lease_is_left_as_it_is() {
        let format = LockFormat::of(ResourceLock::Leases);
        let object = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "n", "annotations": {RECORD_ANNOTATION: RECORD}},
        });
        assert_eq!(encoded(&format, decoded(&format, object.clone())), Some(object));
        assert!(format.remainders.lock().is_empty());
    }
}
