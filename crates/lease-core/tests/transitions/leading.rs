//! Leader: renewing.

use std::time::Duration;

use jiff::SignedDuration;
use lease_core::WriteKind;
use lease_core::{Effect, EndReason, Event, Refusal, State};

use crate::dsl::{Harness, again, at, held, made_by, released, seconds, write};

#[test]
fn a_renewal_is_one_update_of_the_last_seen_state_every_retry_period() {
    let mut harness = Harness::leading();
    for round in 1..20_u32 {
        let renewal = harness.renewal_at(2.0 * f64::from(round));
        assert_eq!(renewal.base.as_ref().map(|base| base.version.0), Some(1 + u64::from(round)));
        assert_eq!(renewal.record.transitions, 6);
        assert_eq!(harness.land(&renewal, 2 + u64::from(round)), []);
    }
    assert_eq!(harness.state(), State::Leader);
}

#[test]
fn validity_counts_from_the_sending_of_the_last_renewal_that_landed() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    harness.at(4.5).land(&renewal, 3);
    let end = harness.elector.validity().expect("it leads").end();
    assert_eq!(end.monotonic, at(12.0));
}

#[test]
fn a_renewal_may_be_brought_forward() {
    let mut harness = Harness::leading();
    let renewal = write(&harness.at(0.3).tell(Event::RenewSoon));
    harness.land(&renewal, 3);
    assert_eq!(harness.alarm(), Some(2.3));
}

/// Whenever a Lease was acquired or written in between, so that all Leases of a process meet.
#[test]
fn with_a_phase_renewals_come_at_the_instants_of_the_process_and_never_later_than_retry_period() {
    let phase = Duration::from_millis(700);
    let mut harness = Harness::leading_with(|config| config.renewal_phase = Some(phase));
    let renewal = harness.renewal_at(0.7);
    harness.at(0.75).land(&renewal, 3);
    let renewal = harness.renewal_at(2.7);
    harness.land(&renewal, 4);
    let soon = write(&harness.at(3.0).tell(Event::RenewSoon));
    harness.land(&soon, 5);
    let renewal = harness.renewal_at(4.7);
    harness.land(&renewal, 6);
    assert_eq!(harness.alarm(), Some(6.7));
}

#[test]
fn a_label_that_somebody_edits_costs_the_leader_one_read() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.refuse(&renewal), [Effect::Read]);
    let known = harness.elector.lease().cloned().expect("it leads");
    let renewal = write(&harness.tell(Event::Read(Some(again(known, 3)))));
    assert_eq!(renewal.base.map(|base| base.version.0), Some(3));
    assert!(harness.is_valid());
}

#[test]
fn a_lost_answer_is_looked_into_and_the_renewal_counts_from_its_own_sending() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.at(4.6).lose_answer(&renewal), [Effect::Read]);
    assert_eq!(harness.at(5.0).tell(Event::Read(Some(made_by(&renewal, 3)))).len(), 1, "the next renewal");
    assert_eq!(harness.elector.validity().expect("it leads").end().monotonic, at(12.0));
}

#[test]
fn a_renewal_that_was_lost_is_repeated_soon() {
    let mut harness = Harness::leading();
    let lost = harness.renewal_at(2.0);
    harness.at(4.6).lose_answer(&lost);
    let known = harness.elector.lease().cloned();
    assert_eq!(harness.tell(Event::Read(known)), []);
    let renewal = harness.renewal_at(5.1);
    assert!(renewal.record.renew_time > lost.record.renew_time, "or the two could not be told apart");
    assert_eq!(harness.elector.validity().expect("it leads").end().monotonic, at(10.0));
}

#[test]
fn no_two_writes_carry_one_renew_time_even_if_the_wall_clock_is_behind() {
    let mut harness = Harness::leading();
    harness.wall -= SignedDuration::from_hours(1);
    let mut latest = None;
    let mut at = 2.0;
    for _ in 0..3 {
        let lost = harness.renewal_at(at);
        assert!(lost.record.renew_time > latest, "{:?} after {latest:?}", lost.record.renew_time);
        latest = lost.record.renew_time;
        harness.lose_answer(&lost);
        let known = harness.elector.lease().cloned();
        assert_eq!(harness.tell(Event::Read(known)), []);
        at += 0.5;
    }
}

#[test]
fn the_watch_may_be_faster_than_the_answer() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.at(2.1).tell(Event::Watched(made_by(&renewal, 3))), []);
    assert_eq!(harness.elector.validity().expect("it leads").end().monotonic, at(12.0));
    assert_eq!(harness.at(2.2).land(&renewal, 3), []);
    assert_eq!(harness.alarm(), Some(4.0));
}

#[test]
fn an_answer_that_the_watch_has_overtaken_is_old_news() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    let lost = harness.tell(Event::Watched(held("thief", 4, 15)));
    assert_eq!(lost[0], Effect::Ended(EndReason::Taken(Some(crate::dsl::who("thief")))));
    harness.land(&renewal, 3);
    assert_eq!(harness.elector.lease().map(|lease| lease.revision.version.0), Some(4));
    assert!(!harness.is_valid());

    let (mut harness, effects) = Harness::that_read(Some(released(1)));
    let acquire = write(&effects);
    harness.tell(Event::Watched(held("thief", 3, 15)));
    assert_eq!(harness.land(&acquire, 2), []);
    assert!(!harness.is_valid() && harness.state() == State::Standby);
}

#[test]
fn a_wedged_leader_loses_the_lease_and_one_that_comes_back_in_time_does_not() {
    let mut harness = Harness::leading();
    harness.work_alive = false;
    assert_eq!(harness.pass_to(5.0), []);
    harness.work_alive = true;
    let renewal = harness.renewal_at(5.5);
    harness.land(&renewal, 3);
    harness.work_alive = false;
    let effects = harness.pass_to(15.5);
    assert_eq!(effects, [Effect::Ended(EndReason::Lapsed), Effect::AbortWork(EndReason::Lapsed)]);
}

#[test]
fn renew_time_only_grows_while_the_wall_clock_jumps_back() {
    let mut harness = Harness::leading();
    let before = harness.elector.lease().and_then(|lease| lease.record.renew_time);
    harness.wall -= SignedDuration::from_hours(24);
    let renewal = harness.renewal_at(2.0);
    assert_eq!(renewal.record.renew_time, before.map(|time| time + SignedDuration::from_micros(1)));
}

#[test]
fn a_leader_that_is_told_to_slow_down_tries_again_within_a_retry_period() {
    for (retry_after, next) in [(None, 2.5), (Some(1.0), 3.0), (Some(60.0), 4.0)] {
        let mut harness = Harness::leading();
        let renewal = harness.renewal_at(2.0);
        let refusal = Refusal::Rejected { retry_after: retry_after.map(seconds) };
        assert_eq!(harness.tell(Event::WriteRefused(renewal.attempt, refusal)), []);
        assert_eq!(harness.alarm(), Some(next), "{retry_after:?}");
        assert_eq!(harness.renewal_at(next).kind, WriteKind::Renew);
    }
}

#[test]
fn a_read_that_fails_does_not_end_a_term() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.refuse(&renewal), [Effect::Read]);
    assert_eq!(harness.tell(Event::ReadFailed { retry_after: None }), []);
    assert_eq!(harness.pass_to(2.5), [Effect::Read]);
    assert!(harness.is_valid());
}
