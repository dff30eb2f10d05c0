use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::schedule::{Edit, EditKind, Fault, FaultKind, LeaseChange, LeaseOf, ProfileEdit, Slot};

const SEEDS: u64 = 2_000;

fn all() -> impl Iterator<Item = Schedule> {
    (0..SEEDS).map(Schedule::draw)
}

#[test]
fn a_seed_gives_the_same_schedule_each_time() {
    for seed in 0..50 {
        assert_eq!(Schedule::draw(seed), Schedule::draw(seed));
    }
    assert_ne!(Schedule::draw(1), Schedule::draw(2));
}

#[test]
fn a_schedule_can_be_written_down() {
    for seed in 0..50 {
        let schedule = Schedule::draw(seed);
        let written = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&written).unwrap(), schedule);
    }
}

/// The table in docs/simulation.md comes from here: `cargo test -p simulation -- --nocapture every_kind`.
#[test]
fn every_kind_of_fault_and_edit_occurs() {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    let mut edits: BTreeMap<&str, u64> = BTreeMap::new();
    let mut changes = BTreeSet::new();
    for schedule in all() {
        for fault in &schedule.faults {
            *kinds.entry(fault.what.name()).or_default() += 1;
            if let FaultKind::ChangeLease { lease, what } = fault.what {
                changes.insert((of_lease(lease), of_change(what)));
            }
        }
        for edit in &schedule.edits {
            *edits.entry(of_edit(edit)).or_default() += 1;
        }
    }
    for (name, count) in kinds.iter().chain(&edits) {
        println!("{name:>22} {count:>7}");
    }
    for name in FaultKind::NAMES {
        assert!(kinds.contains_key(name), "no {name} in {SEEDS} schedules");
    }
    assert_eq!(kinds.len(), FaultKind::NAMES.len(), "a kind is missing from FaultKind::NAMES");
    assert_eq!(changes.len(), 10, "not every change was made to every Lease: {changes:?}");
    assert_eq!(edits.len(), 8, "not every edit occurs: {edits:?}");
}

#[test]
fn sizes_and_clocks_cover_their_ranges() {
    let sizes: Vec<_> = all().map(|schedule| (schedule.replicas.len(), schedule.shards)).collect();
    for replicas in 2..=7 {
        assert!(sizes.iter().any(|size| size.0 == replicas), "never {replicas} replicas");
    }
    for shards in [1..=1, 2..=3, 4..=6, 7..=16, 17..=32] {
        assert!(sizes.iter().any(|size| shards.contains(&size.1)), "never {shards:?} shards");
    }
    let drifts: Vec<_> =
        all().flat_map(|schedule| schedule.replicas).map(|replica| replica.drift_ppm).collect();
    let usual = drifts.iter().filter(|drift| drift.abs() <= 500).count();
    assert!(usual * 10 > drifts.len() * 8, "{usual} of {} clocks are good", drifts.len());
    assert!(drifts.iter().any(|drift| *drift > 2_000) && drifts.iter().any(|drift| *drift < -2_000));
}

#[test]
fn no_schedule_breaks_what_is_assumed() {
    for schedule in all() {
        let Schedule { seed, timings, network, .. } = schedule;
        assert!(network.latency.min >= LEAST_LATENCY, "seed {seed}: {network:?}");
        assert!(network.latency.min <= network.latency.max && network.straggler.min <= network.straggler.max);
        assert!(schedule.reconcile.min <= schedule.reconcile.max);
        let refused =
            lease_core::Timings::new(timings.lease_duration, timings.renew_deadline, timings.retry_period);
        assert!(refused.is_ok(), "seed {seed}: {refused:?}");
        let worst = schedule.replicas.iter().map(|replica| replica.drift_ppm.unsigned_abs()).max().unwrap();
        for slot in (0..schedule.replicas.len()).map(Slot) {
            let slow = schedule.faults.iter().filter(|fault| {
                matches!(fault.what, FaultKind::Slow { .. }) && fault.what.slot() == Some(slot)
            });
            let slow: Vec<_> = slow.collect();
            assert!(
                slow.windows(2).all(|pair| pair[0].at + pair[0].lasts < pair[1].at),
                "seed {seed}: two faults slow {slot:?} down at once"
            );
            for fault in slow {
                let FaultKind::Slow { requests, .. } = fault.what else { continue };
                let on_its_way = requests + network.latency.max + network.straggler.max;
                let measured = on_its_way + timings.lease_duration * 2 * worst / 1_000_000;
                assert!(measured <= timings.margin(), "seed {seed}: a request may take {on_its_way:?}");
            }
        }
    }
}

#[test]
fn all_is_over_when_the_quiet_phase_begins() {
    for schedule in all() {
        let seed = schedule.seed;
        assert!(!schedule.faults.is_empty(), "seed {seed}: no fault");
        assert!(schedule.faults.is_sorted_by_key(|fault| fault.at), "seed {seed}: faults out of order");
        assert!(schedule.edits.is_sorted_by_key(|edit| edit.at), "seed {seed}: edits out of order");
        let over = |fault: &Fault| (fault.at + fault.lasts).since_start() <= schedule.busy_for;
        assert!(schedule.faults.iter().all(over), "seed {seed}: a fault goes on");
        assert!(schedule.edits.iter().all(|edit| edit.at.since_start() <= schedule.busy_for));
        assert!(schedule.replicas.iter().all(|replica| replica.starts.since_start() < schedule.busy_for));
        let slots = schedule.faults.iter().filter_map(|fault| fault.what.slot());
        assert!(slots.max().is_none_or(|slot| slot.0 < schedule.replicas.len()), "seed {seed}: no such slot");
    }
}

fn of_lease(lease: LeaseOf) -> &'static str {
    match lease {
        LeaseOf::Coordinator => "coordinator",
        LeaseOf::Shard(_) => "shard",
        LeaseOf::Member(_) => "member",
    }
}

fn of_change(what: LeaseChange) -> &'static str {
    match what {
        LeaseChange::Delete => "delete",
        LeaseChange::BlankHolder => "blank",
        LeaseChange::ShortRecord => "short record",
        LeaseChange::Label => "label",
    }
}

fn of_edit(edit: &Edit) -> &'static str {
    match edit.what {
        EditKind::Create => "edit: create",
        EditKind::CreateFor(_) => "edit: create-for",
        EditKind::Scale(_) => "edit: scale",
        EditKind::Memory(_) => "edit: memory",
        EditKind::MoveTenant(_) => "edit: move-tenant",
        EditKind::Delete => "edit: delete",
        EditKind::Profile(ProfileEdit::Write(_)) => "edit: write-profile",
        EditKind::Profile(ProfileEdit::Delete) => "edit: delete-profile",
    }
}
