//! One Lease on an API server in memory: uid and resourceVersion preconditions, and a log that watches follow.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lease_core::{
    Identity, LeaseName, LeaseRecord, ObservedLease, ResourceVersion, Revision, TimePrecision, Uid, Write,
    WriteKind,
};

/// One entry of what a watch shows.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    State(ObservedLease),
    Gone(Uid),
    /// A write of another object.
    Elsewhere,
}

/// The API server.
#[derive(Debug)]
pub(crate) struct Api {
    name: LeaseName,
    /// How precise times are in the record.
    precision: TimePrecision,
    lease: Option<ObservedLease>,
    version: u64,
    uids: u64,
    /// Every change, with its version. Versions start at 1 and have no gaps: entry n has version n + 1.
    log: Vec<Change>,
    /// The annotations that it has refused, and how often.
    pub(crate) refused: BTreeMap<u64, u8>,
}

impl Api {
    pub(crate) fn new(precision: TimePrecision) -> Self {
        Self {
            name: LeaseName::from_server("example.com"),
            precision,
            lease: None,
            version: 0,
            uids: 0,
            log: Vec::new(),
            refused: BTreeMap::new(),
        }
    }

    /// A consistent read.
    pub(crate) fn read(&self) -> Option<&ObservedLease> {
        self.lease.as_ref()
    }

    /// The version of the last change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// All changes so far.
    pub(crate) fn log(&self) -> &[Change] {
        &self.log
    }

    /// Carries a write out, or refuses it with a conflict. `Ok` is what stands there now.
    pub(crate) fn write(&mut self, write: &Write) -> Result<Option<ObservedLease>, ()> {
        if !self.admits(write) {
            return Err(());
        }
        if write.kind == WriteKind::Delete {
            self.delete();
            return Ok(None);
        }
        self.put(write.record.clone(), write.successor.clone());
        Ok(self.lease.clone())
    }

    fn admits(&self, write: &Write) -> bool {
        let current = self.lease.as_ref().map(|lease| &lease.revision);
        match (&write.base, current) {
            (None, None) => true,
            (Some(base), Some(current)) if base == current => true,
            _ => lacks_preconditions(write, current),
        }
    }

    /// What a restore of the state of this version would bring back.
    pub(crate) fn at(&self, version: u64) -> Option<&ObservedLease> {
        let kept = &self.log[..usize::try_from(version).expect("a simulated log is short")];
        let last = kept.iter().rev().find(|change| !matches!(change, Change::Elsewhere));
        last.and_then(|change| if let Change::State(lease) = change { Some(lease) } else { None })
    }

    /// etcd is restored from a backup of this version: what came after it never happened.
    ///
    /// So many writes of other objects follow, so that no later version of the Lease is also one of the history that is gone: two
    /// states that differ and have one version cannot be told apart by anybody.
    pub(crate) fn rewind(&mut self, version: u64, elsewhere: u64) {
        self.lease = self.at(version).cloned();
        self.log.truncate(usize::try_from(version).expect("a simulated log is short"));
        self.version = version + elsewhere;
        self.log.extend((0..elsewhere).map(|_| Change::Elsewhere));
    }

    /// Writes the record over whatever is there; creates the Lease where there is none.
    pub(crate) fn put(&mut self, mut record: LeaseRecord, successor: Option<Identity>) {
        record.acquire_time = record.acquire_time.map(|time| self.kept(time));
        record.renew_time = record.renew_time.map(|time| self.kept(time));
        self.version += 1;
        let uid = if let Some(lease) = &self.lease {
            lease.revision.uid.clone()
        } else {
            self.uids += 1;
            Uid(format!("uid-{}", self.uids))
        };
        let revision = Revision { uid, version: ResourceVersion(self.version) };
        let lease = ObservedLease { name: self.name.clone(), revision, record, successor };
        self.log.push(Change::State(lease.clone()));
        self.lease = Some(lease);
    }

    /// What the record keeps of a time.
    fn kept(&self, time: Timestamp) -> Timestamp {
        match self.precision {
            TimePrecision::Microseconds => time,
            TimePrecision::Seconds => Timestamp::from_second(time.as_second()).expect("in range"),
        }
    }

    /// Deletes the Lease, if there is one.
    pub(crate) fn delete(&mut self) -> bool {
        let Some(lease) = self.lease.take() else { return false };
        self.version += 1;
        self.log.push(Change::Gone(lease.revision.uid));
        true
    }

    /// A user takes the holder out and leaves the rest.
    pub(crate) fn blank(&mut self) -> bool {
        self.edit(|record| record.holder = None)
    }

    /// A user puts another holder in, who never renews.
    pub(crate) fn overwrite(&mut self, holder: Identity) -> bool {
        self.edit(|record| {
            record.holder = Some(holder);
            let later = |time: Timestamp| time + SignedDuration::from_micros(1);
            record.renew_time = record.renew_time.map(later);
        })
    }

    /// A user puts another holder in, who states a much shorter LeaseDuration.
    pub(crate) fn shorten(&mut self, holder: Identity) -> bool {
        self.edit(|record| {
            record.holder = Some(holder);
            // One second would be a forged release, once somebody takes the holder out.
            record.lease_duration = Some(std::time::Duration::from_secs(2));
        })
    }

    /// A stranger takes the Lease as client-go does where the holder was taken out, and counts the transition.
    pub(crate) fn usurp(&mut self, holder: Identity) -> bool {
        self.edit(|record| {
            record.holder = Some(holder);
            record.transitions += 1;
        })
    }

    /// The Lease is deleted, and a stranger creates another in its place.
    pub(crate) fn replace(&mut self, holder: Identity) -> bool {
        let Some(mut record) = self.lease.as_ref().map(|lease| lease.record.clone()) else { return false };
        record.holder = Some(holder);
        record.transitions = 0;
        self.delete();
        self.put(record, None);
        true
    }

    /// It gives the Lease up in good order, if it still holds it.
    pub(crate) fn release_of(&mut self, holder: &Identity) -> bool {
        let Some(record) = self.lease.as_ref().map(|lease| &lease.record) else { return false };
        let renewed = record.renew_time.map(|time| time + SignedDuration::from_micros(1));
        let release = LeaseRecord::released(renewed.unwrap_or_default(), record.transitions);
        let holds = record.is_held_by(holder);
        if holds {
            self.put(release, None);
        }
        holds
    }

    /// A user edits a label: only the version changes.
    pub(crate) fn touch(&mut self) -> bool {
        self.edit(|_| {})
    }

    /// Edits the Lease, unless it is in the form of a release: to forge or to undo one is out of scope.
    fn edit(&mut self, change: impl FnOnce(&mut LeaseRecord)) -> bool {
        let Some(lease) = &self.lease else { return false };
        let mut record = lease.record.clone();
        let successor = lease.successor.clone();
        if record.is_released() {
            self.put(record, successor);
            return true;
        }
        change(&mut record);
        self.put(record, successor);
        true
    }
}

/// Whether a mutant sends this write without the preconditions that would have it refused.
#[cfg(feature = "mutants")]
fn lacks_preconditions(write: &Write, current: Option<&Revision>) -> bool {
    use lease_core::mutants::{Mutant, active};

    match (&write.base, current) {
        // A Lease may be created by an update: only the uid in it prevents that.
        (Some(_), None) => write.kind != WriteKind::Delete && active(Mutant::UpdateWithoutUid),
        (Some(_), Some(_)) => {
            write.kind == WriteKind::Acquire && active(Mutant::TakeoverWithoutVersion)
                || write.kind == WriteKind::Release && active(Mutant::ReleaseUnseen)
        }
        (None, _) => false,
    }
}

#[cfg(not(feature = "mutants"))]
fn lacks_preconditions(_: &Write, _: Option<&Revision>) -> bool {
    false
}
