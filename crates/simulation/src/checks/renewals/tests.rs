use crate::checks::run_builder::{RunBuilder, at, only_of};

const LEASE: &str = "op-shard-0";

fn held() -> RunBuilder {
    let mut run = RunBuilder::settled();
    run.runs("a", 0, 0).runs("b", 1, 0).wrote(LEASE, "a", 20_000, 20_001, "a", 1);
    run
}

/// How many violations `tell` adds.
fn found(count: usize, tell: impl Fn(&mut RunBuilder)) -> Vec<String> {
    let mut run = held();
    tell(&mut run);
    only_of(&run, "renewals", count)
}

#[test]
fn transitions_count_the_holders() {
    found(0, |run| {
        run.wrote(LEASE, "a", 21_000, 21_001, "a", 1).wrote(LEASE, "b", 50_000, 50_001, "b", 2);
    });
    for number in [1, 3] {
        let sentences = found(1, |run| {
            run.wrote(LEASE, "b", 50_000, 50_001, "b", number);
        });
        assert!(sentences[0].contains("of the new holder is"), "{sentences:?}");
    }
    found(1, |run| {
        run.wrote(LEASE, "a", 21_000, 21_001, "a", 2);
    });
}

#[test]
fn a_lease_made_anew_goes_on_from_what_its_acquirer_knew() {
    // B saw 2, since it wrote a renewal with it; A knows of 1 only.
    let tell = |run: &mut RunBuilder, taker: &str, number| {
        run.wrote(LEASE, "b", 40_000, 40_001, "b", 2).wrote(LEASE, "b", 41_000, 41_001, "b", 2);
        run.deleted(LEASE, None, 42_000).reserved(LEASE, "b", 42_100, 0);
        run.wrote(LEASE, taker, 60_000, 60_001, taker, number);
    };
    found(0, |run| tell(run, "b", 3));
    found(1, |run| tell(run, "b", 2));
    found(0, |run| tell(run, "a", 2));
    found(1, |run| tell(run, "a", 4));
}

#[test]
fn after_a_restore_of_etcd_versions_go_back_once_and_transitions_go_on_from_what_is_known() {
    // B knows of 2, A of 3 at most before the restore. The backup has A's with 1, and a version that was given long ago.
    let tell = |run: &mut RunBuilder, number, version| {
        let held = run.observations.leases.iter().rfind(|state| state.name == LEASE);
        let mut backup = held.expect("told").clone();
        let given = backup.version;
        run.wrote(LEASE, "b", 40_000, 40_001, "b", 2).wrote(LEASE, "b", 41_000, 41_001, "b", 2);
        run.wrote(LEASE, "a", 60_000, 60_001, "a", 3);
        (backup.at, backup.sent, backup.by, backup.restored) = (at(80_000), at(80_000), None, true);
        run.observations.restores.push(at(80_000));
        run.observations.leases.push(backup);
        run.wrote(LEASE, "b", 100_000, 100_001, "b", number);
        run.observations.leases.last_mut().expect("told").version = given + version;
    };
    for number in [3, 4] {
        found(0, |run| tell(run, number, 1));
    }
    for number in [2, 5] {
        let sentences = found(1, |run| tell(run, number, 1));
        assert!(sentences[0].contains("of the new holder is"), "{sentences:?}");
    }
    let sentences = found(1, |run| tell(run, 3, 0));
    assert!(sentences[0].contains("resourceVersion is"), "{sentences:?}");
    // The same without a word about a restore: then A's 3 is what it replaces, too.
    let sentences = found(2, |run| {
        tell(run, 3, 1);
        run.observations.restores.clear();
        run.observations.leases.retain(|state| !state.restored);
    });
    assert!(sentences[0].contains("resourceVersion is"), "{sentences:?}");
}

#[test]
fn a_lease_that_the_backup_does_not_have_begins_again_below() {
    found(0, |run| {
        run.observations.restores.push(at(80_000));
        run.wrote(LEASE, "a", 100_000, 100_001, "a", 2);
        let anew = run.observations.leases.last_mut().expect("told");
        (anew.version, anew.uid) = (1, "anew".to_owned());
    });
}

#[test]
fn renew_time_and_version_grow() {
    found(1, |run| {
        run.wrote(LEASE, "a", 21_000, 21_001, "a", 1);
        run.last_lease().renewed = jiff::Timestamp::from_millisecond(19_000).ok();
    });
    found(1, |run| {
        run.wrote(LEASE, "a", 21_000, 21_001, "a", 1);
        run.observations.leases.last_mut().expect("told").version = 1;
    });
}

#[test]
fn who_names_another_or_brings_back_the_dead_is_caught() {
    let sentences = found(1, |run| {
        run.wrote(LEASE, "b", 50_000, 50_001, "c", 2);
    });
    assert!(sentences[0].contains("it names c_1 as its holder"), "{sentences:?}");
    found(1, |run| {
        run.deleted(LEASE, None, 42_000).wrote(LEASE, "a", 43_000, 43_001, "a", 2);
        let uid = run.observations.leases[run.observations.leases.len() - 2].uid.clone();
        run.observations.leases.last_mut().expect("told").uid = uid;
    });
}

#[test]
fn a_user_may_write_anything() {
    found(0, |run| {
        run.blanked(LEASE, 21_000).wrote(LEASE, "a", 40_000, 40_001, "a", 2);
    });
}
