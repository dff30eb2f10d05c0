//! Releasing: the work ends, then the Lease is given up.

use lease_core::WriteKind;
use lease_core::{Effect, EndReason, Event, ObservedLease, ReleaseStyle, State};

use crate::dsl::{Harness, again, at, held, made_by, released, seconds, who, write};

const STEP_DOWN: Event = Event::StepDown { successor: None };

fn own(harness: &Harness) -> ObservedLease {
    harness.elector.lease().cloned().expect("it leads")
}

/// A machine that was asked to step down at the instant 0.5, and whose work has ended.
fn vacating() -> Harness {
    let mut harness = Harness::leading();
    assert_eq!(harness.at(0.5).tell(STEP_DOWN), [Effect::DrainWork]);
    assert_eq!(harness.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
    harness
}

#[test]
fn drain_then_work_ends_then_read_then_release() {
    let mut harness = vacating();
    assert!(!harness.is_valid(), "over before the release is sent");
    let lease = own(&harness);
    let release = write(&harness.tell(Event::Read(Some(lease.clone()))));
    assert_eq!((release.kind, release.base), (WriteKind::Release, Some(lease.revision)));
    assert!(release.record.is_released() && release.record.renew_time > lease.record.renew_time);
    assert_eq!(release.record.transitions, lease.record.transitions);
}

/// Its drain was cut short, or its connection broke: the write may be on its way for LeaseDuration − RenewDeadline (5 s).
#[test]
fn a_release_waits_while_a_write_of_the_work_may_still_land() {
    let mut harness = Harness::leading();
    assert_eq!(harness.at(0.5).tell(STEP_DOWN), [Effect::DrainWork]);
    assert_eq!(harness.tell(Event::Unanswered { given_up: at(0.4) }), []);
    assert_eq!(harness.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
    let lease = own(&harness);
    assert_eq!(harness.tell(Event::Read(Some(lease))), []);
    assert_eq!(harness.pass_to(5.3), []);
    assert_eq!(write(&harness.pass_to(5.4)).kind, WriteKind::Release);
}

#[test]
fn a_write_that_can_land_no_more_holds_up_no_release() {
    let mut harness = Harness::leading();
    harness.tell(Event::Unanswered { given_up: at(0.4) });
    let renewal = write(&harness.at(6.0).tell(Event::Timeout));
    harness.land(&renewal, 3);
    harness.tell(STEP_DOWN);
    harness.tell(Event::WorkEnded);
    let lease = own(&harness);
    assert_eq!(write(&harness.tell(Event::Read(Some(lease)))).kind, WriteKind::Release);
}

#[test]
fn after_a_release_the_others_come_first() {
    let mut harness = vacating();
    let lease = own(&harness);
    let release = write(&harness.tell(Event::Read(Some(lease))));
    assert_eq!(harness.land(&release, 3), []);
    assert!(harness.elector.is_at_rest());
    assert_eq!(harness.pass_to(2.4), []);
    let acquire = write(&harness.pass_to(2.5));
    assert_eq!(acquire.record.transitions, 7, "another acquisition");
}

#[test]
fn once_another_has_held_the_lease_nobody_else_comes_first() {
    let mut harness = vacating();
    let lease = own(&harness);
    let release = write(&harness.tell(Event::Read(Some(lease))));
    harness.land(&release, 3);
    assert_eq!(harness.at(0.6).tell(Event::Watched(held("other", 4, 15))), []);
    let back = write(&harness.at(0.7).tell(Event::Watched(released(5))));
    assert_eq!(
        back.kind,
        WriteKind::Acquire,
        "at once, although the RetryPeriod after the release is not over"
    );
}

#[test]
fn the_acquire_delay_counts_from_ones_own_release_too() {
    let mut harness = vacating();
    let lease = own(&harness);
    let release = write(&harness.tell(Event::Read(Some(lease))));
    harness.tell(Event::AcquireDelay(seconds(10.0)));
    harness.land(&release, 3);
    assert_eq!(harness.pass_to(10.4).iter().filter(|effect| matches!(effect, Effect::Write(_))).count(), 0);
}

#[test]
fn the_release_names_the_successor() {
    let mut harness = Harness::leading();
    harness.tell(Event::StepDown { successor: Some(who("next")) });
    harness.tell(Event::WorkEnded);
    let lease = own(&harness);
    assert_eq!(write(&harness.tell(Event::Read(Some(lease)))).successor, Some(who("next")));
}

#[test]
fn what_another_holds_is_never_released() {
    let mut harness = vacating();
    assert_eq!(harness.tell(Event::Read(Some(held("next", 3, 15)))), []);
    assert_eq!(harness.state(), State::Standby);

    let mut harness = vacating();
    let lease = own(&harness);
    let release = write(&harness.tell(Event::Read(Some(lease))));
    assert_eq!(harness.refuse(&release), [Effect::Read]);
    assert_eq!(harness.tell(Event::Read(Some(held("next", 3, 15)))), []);
    assert_eq!(harness.state(), State::Standby);
}

#[test]
fn there_is_nothing_to_release_where_the_lease_is_gone() {
    let mut harness = vacating();
    let effects = harness.tell(Event::Read(None));
    assert!(
        !effects.iter().any(|e| matches!(e, Effect::Write(w) if w.kind == WriteKind::Release)),
        "{effects:?}"
    );
}

#[test]
fn a_label_edited_under_a_release_costs_one_read() {
    let mut harness = vacating();
    let lease = own(&harness);
    let release = write(&harness.tell(Event::Read(Some(lease.clone()))));
    harness.refuse(&release);
    let release = write(&harness.tell(Event::Read(Some(again(lease, 3)))));
    assert_eq!((release.kind, release.base.map(|base| base.version.0)), (WriteKind::Release, Some(3)));
}

#[test]
fn a_release_whose_answer_is_lost_is_looked_into() {
    let mut harness = vacating();
    let lease = own(&harness);
    let release = write(&harness.tell(Event::Read(Some(lease.clone()))));
    assert_eq!(harness.lose_answer(&release), [Effect::Read]);
    assert_eq!(harness.tell(Event::Read(Some(made_by(&release, 3)))), [], "it had landed");
    assert!(harness.elector.is_at_rest());

    let mut harness = vacating();
    let release = write(&harness.tell(Event::Read(Some(lease.clone()))));
    harness.lose_answer(&release);
    assert_eq!(harness.tell(Event::Read(Some(lease))), [], "it had not, and not at once again");
    assert_eq!(write(&harness.pass_to(1.0)).kind, WriteKind::Release);
}

#[test]
fn the_lease_is_renewed_while_the_work_drains() {
    let mut harness = Harness::leading();
    harness.at(1.0).tell(STEP_DOWN);
    let renewal = harness.renewal_at(2.0);
    harness.land(&renewal, 3);
    let renewal = harness.renewal_at(4.0);
    // The work ends while a renewal is in flight: first its answer, then the release.
    assert_eq!(harness.tell(Event::WorkEnded), []);
    let lease = made_by(&renewal, 4);
    assert_eq!(harness.land(&renewal, 4), [Effect::Ended(EndReason::Released), Effect::Read]);
    assert_eq!(write(&harness.tell(Event::Read(Some(lease)))).kind, WriteKind::Release);
}

#[test]
fn a_renewal_lost_while_stepping_down_is_read_before_the_release() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    harness.tell(STEP_DOWN);
    harness.tell(Event::WorkEnded);
    let effects = harness.lose_answer(&renewal);
    assert_eq!(effects, [Effect::Ended(EndReason::Released), Effect::Read]);
    let release = write(&harness.tell(Event::Read(Some(made_by(&renewal, 3)))));
    assert_eq!((release.kind, release.base.map(|base| base.version.0)), (WriteKind::Release, Some(3)));
}

#[test]
fn a_drain_that_takes_too_long_is_aborted_and_the_lease_released_after_the_join() {
    let mut harness = Harness::leading_with(|config| config.drain_timeout = seconds(1.0));
    harness.at(0.5).tell(STEP_DOWN);
    assert_eq!(harness.pass_to(1.5), [Effect::AbortWork(EndReason::DrainTimeout)]);
    assert!(harness.is_valid());
    let renewal = harness.renewal_at(2.0);
    harness.land(&renewal, 3);
    assert_eq!(harness.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
}

#[test]
fn a_term_may_lapse_while_its_work_drains() {
    let mut harness = Harness::leading();
    harness.at(1.0).tell(STEP_DOWN);
    harness.work_alive = false;
    let effects = harness.pass_to(10.0);
    assert_eq!(effects, [Effect::Ended(EndReason::Lapsed), Effect::AbortWork(EndReason::Lapsed)]);
    assert_eq!(harness.pass_to(15.0), [Effect::EndProcess], "the drain timeout does not count any more");
}

#[test]
fn work_that_returns_early_gives_the_lease_up() {
    let mut harness = Harness::leading();
    assert_eq!(harness.at(1.0).tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
    assert_eq!(harness.state(), State::Releasing);
}

#[test]
fn without_release_on_cancel_the_lease_is_left_to_expire_and_to_the_others() {
    let mut harness = Harness::leading_with(|config| config.release = ReleaseStyle::LetExpire);
    harness.at(1.0).tell(STEP_DOWN);
    assert_eq!(harness.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released)]);
    assert_eq!(harness.state(), State::Standby);
    let lease = own(&harness);
    while harness.alarm().is_some_and(|alarm| alarm < 18.0) {
        let alarm = harness.alarm().expect("just seen");
        assert_eq!(harness.pass_to(alarm), [Effect::Read], "not taken again before anyone else could");
        harness.tell(Event::Read(Some(lease.clone())));
    }
    assert_eq!(write(&harness.pass_to(18.0)).kind, WriteKind::Acquire, "nobody wanted it");
}

#[test]
fn a_lease_without_successors_is_deleted() {
    let mut harness = Harness::leading_with(|config| config.release = ReleaseStyle::Delete);
    harness.tell(Event::Contend(false));
    harness.at(1.0).tell(STEP_DOWN);
    harness.tell(Event::WorkEnded);
    let lease = own(&harness);
    let delete = write(&harness.tell(Event::Read(Some(lease.clone()))));
    assert_eq!((delete.kind, delete.base), (WriteKind::Delete, Some(lease.revision)));
    assert_eq!(harness.tell(Event::WriteLanded(delete.attempt, None)), []);
    assert!(harness.elector.is_at_rest());
}

#[test]
fn giving_up_on_a_release_is_final() {
    let mut harness = vacating();
    harness.tell(Event::Contend(false));
    // Nothing gets through for longer than anyone would wait for this Lease.
    harness.tell(Event::ReadFailed { retry_after: None });
    while let Some(alarm) = harness.alarm().filter(|alarm| *alarm < 100.0) {
        if harness.pass_to(alarm) == [Effect::Read] {
            harness.tell(Event::ReadFailed { retry_after: None });
        }
        if harness.elector.is_at_rest() {
            break;
        }
    }
    assert!(harness.elector.is_at_rest());
    assert!(harness.now().monotonic < at(16.0), "{:?}", harness.now());
}
