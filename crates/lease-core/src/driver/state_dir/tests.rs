use std::path::Path;
use std::time::Duration;

use super::*;
use crate::identity::Identity;
use crate::name::LeaderElectionId;
use crate::timings::Timings;

const ID: &str = "op.example.com";

fn options(dir: &Path, identity: &str) -> ElectionsOptions {
    let id = LeaderElectionId::new(ID).expect("a LeaderElectionID");
    ElectionsOptions::new(id, "default", Identity::new(identity).expect("an identity")).state_dir(dir)
}

/// A process that has ended: its name is in the file, and nobody holds the lock.
fn has_ended(dir: &Path, identity: &str) {
    let file = file::open(&dir.join(ID)).expect("created");
    assert!(file::try_lock(&file).expect("a local file system"), "nobody holds the lock");
    let place = Place::of(&file).expect("the boot is known");
    let mut processes =
        file::read(&file).expect("read").map(|contents| contents.processes).unwrap_or_default();
    processes.push(Process::of(&options(dir, identity)));
    file::write(&file, &Contents { place, processes }).expect("written");
}

fn named(ended: &EndedProcesses) -> Vec<&str> {
    ended.identities().map(Identity::as_str).collect()
}

#[test]
fn who_gains_the_lock_knows_of_all_who_have_held_it() {
    let dir = tempfile::tempdir().expect("a directory");
    has_ended(dir.path(), "a_1");
    has_ended(dir.path(), "a_2");
    let third = options(dir.path(), "a_3");
    let before = third.clock.now().monotonic;
    let ended = prove(dir.path().join(ID), &third).expect("proven");
    assert_eq!(named(&ended), ["a_1", "a_2"]);
    let gone_at = ended.gone_at(Some(&Identity::new("a_1").expect("an identity"))).expect("proven");
    assert!(
        gone_at >= before + Timings::standard().longest_transit(),
        "counted from when the lock was gained"
    );
    assert_eq!(ended.gone_at(Some(&third.identity)), None, "it lives");
    let names = std::fs::read_to_string(dir.path().join(ID)).expect("written");
    assert!(names.contains("a_3"), "its own name is there before it sends anything: {names}");
}

#[test]
fn who_does_not_gain_the_lock_knows_nothing_and_leaves_the_file_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    has_ended(dir.path(), "a_1");
    // Each holds the lock for the rest of the life of its process, which is this one.
    prove(dir.path().join(ID), &options(dir.path(), "a_2")).expect("proven");
    let before = std::fs::read(dir.path().join(ID)).expect("written");
    let refusal =
        prove(dir.path().join(ID), &options(dir.path(), "b_1")).expect_err("another holds the lock");
    assert!(refusal.to_string().contains("give each container a directory of its own"), "{refusal}");
    assert_eq!(std::fs::read(dir.path().join(ID)).expect("written"), before);
    assert_eq!(ended_processes(&options(dir.path(), "b_2")), EndedProcesses::default());
}

#[test]
fn a_name_that_was_written_elsewhere_proves_nothing() {
    let (dir, other) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    has_ended(dir.path(), "a_1");
    std::fs::copy(dir.path().join(ID), other.path().join(ID)).expect("copied");
    let ended = prove(other.path().join(ID), &options(other.path(), "b_1")).expect("the lock is gained");
    assert_eq!(ended, EndedProcesses::default());

    // The same file after another start of the machine, or on another machine.
    let text = std::fs::read_to_string(dir.path().join(ID)).expect("written");
    let mut contents: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    contents["place"]["boot"] = "another".into();
    std::fs::write(dir.path().join(ID), contents.to_string()).expect("written");
    let ended = prove(dir.path().join(ID), &options(dir.path(), "a_2")).expect("the lock is gained");
    assert_eq!(ended, EndedProcesses::default());
}

#[test]
fn a_file_that_was_torn_proves_nothing_and_is_written_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    has_ended(dir.path(), "a_1");
    let bytes = std::fs::read(dir.path().join(ID)).expect("written");
    std::fs::write(dir.path().join(ID), &bytes[..bytes.len() / 2]).expect("written");
    let ended = prove(dir.path().join(ID), &options(dir.path(), "a_2")).expect("the lock is gained");
    assert_eq!(ended, EndedProcesses::default());
    let contents: Contents =
        serde_json::from_slice(&std::fs::read(dir.path().join(ID)).expect("written")).expect("whole");
    assert_eq!(contents.processes, [Process::of(&options(dir.path(), "a_2"))]);
}

#[test]
fn the_latest_names_are_kept_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    for life in 0..=KEPT {
        has_ended(dir.path(), &format!("a_{life}"));
    }
    let ended = prove(dir.path().join(ID), &options(dir.path(), "a_last")).expect("proven");
    assert_eq!(ended.identities().count(), KEPT + 1);
    let contents: Contents =
        serde_json::from_slice(&std::fs::read(dir.path().join(ID)).expect("written")).expect("whole");
    assert_eq!(contents.processes.len(), KEPT);
    assert_eq!(contents.processes.last(), Some(&Process::of(&options(dir.path(), "a_last"))));
}

#[test]
fn the_time_that_its_requests_may_take_is_that_of_the_process_that_has_ended() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(ID);
    let file = file::open(&path).expect("created");
    let lazy = options(dir.path(), "a_1").timings(Timings::lazy());
    let place = Place::of(&file).expect("the boot is known");
    file::write(&file, &Contents { place, processes: vec![Process::of(&lazy)] }).expect("written");
    drop(file);
    let fast = options(dir.path(), "a_2").timings(Timings::fast());
    let before = fast.clock.now().monotonic;
    let ended = prove(path, &fast).expect("proven");
    let gone_at = ended.gone_at(Some(&lazy.identity)).expect("proven");
    assert!(gone_at >= before + Duration::from_secs(20), "LeaseDuration 60 s − RenewDeadline 40 s");
}

#[test]
fn locks_that_another_machine_may_hold_prove_nothing() {
    // procfs stands in for a network file system: it is none of those that are known to keep their locks to themselves.
    let file = std::fs::File::open("/proc/self/status").expect("procfs");
    assert_eq!(place::has_local_locks(&file).expect("asked"), Err(0x9fa0));
}

#[test]
fn a_directory_that_is_missing_costs_a_warning_and_nothing_else() {
    let missing = options(Path::new("/nonexistent"), "a_1");
    assert_eq!(ended_processes(&missing), EndedProcesses::default());
    let why = prove(Path::new("/nonexistent").join(ID), &missing).expect_err("it is missing").to_string();
    assert!(why.contains("does the directory exist?"), "{why}");
}
