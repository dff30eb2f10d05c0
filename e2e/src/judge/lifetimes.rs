//! When the Lease of each shard existed, as the API server's audit log shows it.

use std::collections::{BTreeMap, HashMap};

use overlap_checker::LeaseLifetime;
use overlap_checker::records::{Body, RecordLog, Shard};

use crate::collected::{LeaseChange, LeaseChanged};

/// The lifetimes of the Leases that replicas in this namespace created and deleted. Which Lease stands for which shard is in the
/// records; a Lease that nobody ever held is known by the number at its end.
pub(super) fn lease_lifetimes(
    changes: &[LeaseChange],
    namespace: &str,
    records: &RecordLog,
) -> BTreeMap<Shard, Vec<LeaseLifetime>> {
    let held: HashMap<&str, Shard> = records
        .records
        .iter()
        .filter_map(|record| match &record.body {
            Body::HoldBegin { lease, shard: Some(shard), .. } => Some((lease.as_str(), *shard)),
            _ => None,
        })
        .collect();
    let prefix = held.keys().next().and_then(|lease| lease.rsplit_once('-')).map(|(prefix, _)| prefix);
    let shard_of = |lease: &str| {
        let numbered = || {
            let (before, number) = lease.rsplit_once('-')?;
            (Some(before) == prefix).then(|| number.parse().ok().map(Shard))?
        };
        held.get(lease).copied().or_else(numbered)
    };
    let mut lifetimes: BTreeMap<Shard, Vec<LeaseLifetime>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.namespace == namespace) {
        let Some(shard) = shard_of(&change.lease) else { continue };
        let lifetimes = lifetimes.entry(shard).or_default();
        match (change.what, lifetimes.last_mut()) {
            // What is created while it is there was deleted by somebody else, who excuses nobody.
            (LeaseChanged::Created, Some(last)) if last.deleted.is_none() => {}
            (LeaseChanged::Created, _) => {
                lifetimes.push(LeaseLifetime { created: Some(change.at), deleted: None });
            }
            (LeaseChanged::Deleted, Some(last)) => {
                last.deleted.get_or_insert(change.at);
            }
            (LeaseChanged::Deleted, None) => {
                lifetimes.push(LeaseLifetime { created: None, deleted: Some(change.at) });
            }
        }
    }
    lifetimes
}

#[cfg(test)]
mod tests {
    use overlap_checker::Moment;

    use super::*;

    const HELD: &str = r#"{"record":"hold-begin","replica":"a_1","boot_ns":1,"boot_id":"x","wall":"2026-01-01T00:00:00Z","lease":"op-0","shard":0,"token":1}"#;

    fn change(lease: &str, what: LeaseChanged, at: i64) -> LeaseChange {
        LeaseChange { namespace: "here".into(), lease: lease.into(), what, at: Moment(at) }
    }

    fn lifetimes(changes: &[LeaseChange]) -> BTreeMap<Shard, Vec<LeaseLifetime>> {
        let mut records = RecordLog::default();
        records.read_str("test", HELD);
        assert_eq!(records.records.len(), 1, "{:?}", records.tally);
        lease_lifetimes(changes, "here", &records)
    }

    #[test]
    fn a_lease_lives_from_its_creation_to_its_deletion_and_again() {
        let (created, deleted) = (LeaseChanged::Created, LeaseChanged::Deleted);
        let found = lifetimes(&[
            change("op-8", created, 10),
            change("op-8", deleted, 20),
            change("op-8", created, 30),
        ]);
        let expected = vec![
            LeaseLifetime { created: Some(Moment(10)), deleted: Some(Moment(20)) },
            LeaseLifetime { created: Some(Moment(30)), deleted: None },
        ];
        assert_eq!(found, BTreeMap::from([(Shard(8), expected)]));
    }

    #[test]
    fn a_lease_that_somebody_else_deleted_lives_on() {
        let found = lifetimes(&[
            change("op-0", LeaseChanged::Created, 10),
            change("op-0", LeaseChanged::Created, 30),
        ]);
        assert_eq!(found[&Shard(0)], [LeaseLifetime { created: Some(Moment(10)), deleted: None }]);
    }

    #[test]
    fn other_leases_and_other_namespaces_do_not_count() {
        let mut elsewhere = change("op-1", LeaseChanged::Deleted, 10);
        elsewhere.namespace = "there".into();
        let found = lifetimes(&[elsewhere, change("another-1", LeaseChanged::Deleted, 10)]);
        assert_eq!(found, BTreeMap::new());
    }
}
