//! Releasing: the work ends, then the Lease is given up.

use lease_core::WriteKind;
use lease_core::{Effect, EndReason, Event, ObservedLease, ReleaseStyle, State};

use crate::dsl::{Bench, again, at, held, made_by, released, seconds, who, write};

const STEP_DOWN: Event = Event::StepDown { successor: None };

fn own(bench: &Bench) -> ObservedLease {
    bench.elector.lease().cloned().expect("it leads")
}

/// A machine that was asked to step down at the instant 0.5, and whose work has ended.
fn vacating() -> Bench {
    let mut bench = Bench::leading();
    assert_eq!(bench.at(0.5).tell(STEP_DOWN), [Effect::DrainWork]);
    assert_eq!(bench.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
    bench
}

#[test]
fn drain_then_work_ends_then_read_then_release() {
    let mut bench = vacating();
    assert!(!bench.is_valid(), "over before the release is sent");
    let lease = own(&bench);
    let release = write(&bench.tell(Event::Read(Some(lease.clone()))));
    assert_eq!((release.kind, release.base), (WriteKind::Release, Some(lease.revision)));
    assert!(release.record.is_released() && release.record.renew_time > lease.record.renew_time);
    assert_eq!(release.record.transitions, lease.record.transitions);
}

/// Its drain was cut short, or its connection broke: the write may be on its way for LeaseDuration − RenewDeadline (5 s).
#[test]
fn a_release_waits_while_a_write_of_the_work_may_still_land() {
    let mut bench = Bench::leading();
    assert_eq!(bench.at(0.5).tell(STEP_DOWN), [Effect::DrainWork]);
    assert_eq!(bench.tell(Event::Unanswered { given_up: at(0.4) }), []);
    assert_eq!(bench.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
    let lease = own(&bench);
    assert_eq!(bench.tell(Event::Read(Some(lease))), []);
    assert_eq!(bench.pass_to(5.3), []);
    assert_eq!(write(&bench.pass_to(5.4)).kind, WriteKind::Release);
}

#[test]
fn a_write_that_can_land_no_more_holds_up_no_release() {
    let mut bench = Bench::leading();
    bench.tell(Event::Unanswered { given_up: at(0.4) });
    let renewal = write(&bench.at(6.0).tell(Event::Timeout));
    bench.land(&renewal, 3);
    bench.tell(STEP_DOWN);
    bench.tell(Event::WorkEnded);
    let lease = own(&bench);
    assert_eq!(write(&bench.tell(Event::Read(Some(lease)))).kind, WriteKind::Release);
}

#[test]
fn after_a_release_the_others_come_first() {
    let mut bench = vacating();
    let lease = own(&bench);
    let release = write(&bench.tell(Event::Read(Some(lease))));
    assert_eq!(bench.land(&release, 3), []);
    assert!(bench.elector.is_at_rest());
    assert_eq!(bench.pass_to(2.4), []);
    let acquire = write(&bench.pass_to(2.5));
    assert_eq!(acquire.record.transitions, 7, "another acquisition");
}

#[test]
fn once_another_has_held_the_lease_nobody_else_comes_first() {
    let mut bench = vacating();
    let lease = own(&bench);
    let release = write(&bench.tell(Event::Read(Some(lease))));
    bench.land(&release, 3);
    assert_eq!(bench.at(0.6).tell(Event::Watched(held("other", 4, 15))), []);
    let back = write(&bench.at(0.7).tell(Event::Watched(released(5))));
    assert_eq!(
        back.kind,
        WriteKind::Acquire,
        "at once, although the RetryPeriod after the release is not over"
    );
}

#[test]
fn the_acquire_delay_counts_from_ones_own_release_too() {
    let mut bench = vacating();
    let lease = own(&bench);
    let release = write(&bench.tell(Event::Read(Some(lease))));
    bench.tell(Event::AcquireDelay(seconds(10.0)));
    bench.land(&release, 3);
    assert_eq!(bench.pass_to(10.4).iter().filter(|effect| matches!(effect, Effect::Write(_))).count(), 0);
}

#[test]
fn the_release_names_the_successor() {
    let mut bench = Bench::leading();
    bench.tell(Event::StepDown { successor: Some(who("next")) });
    bench.tell(Event::WorkEnded);
    let lease = own(&bench);
    assert_eq!(write(&bench.tell(Event::Read(Some(lease)))).successor, Some(who("next")));
}

#[test]
fn what_another_holds_is_never_released() {
    let mut bench = vacating();
    assert_eq!(bench.tell(Event::Read(Some(held("next", 3, 15)))), []);
    assert_eq!(bench.state(), State::Standby);

    let mut bench = vacating();
    let lease = own(&bench);
    let release = write(&bench.tell(Event::Read(Some(lease))));
    assert_eq!(bench.refuse(&release), [Effect::Read]);
    assert_eq!(bench.tell(Event::Read(Some(held("next", 3, 15)))), []);
    assert_eq!(bench.state(), State::Standby);
}

#[test]
fn there_is_nothing_to_release_where_the_lease_is_gone() {
    let mut bench = vacating();
    let effects = bench.tell(Event::Read(None));
    assert!(
        !effects.iter().any(|e| matches!(e, Effect::Write(w) if w.kind == WriteKind::Release)),
        "{effects:?}"
    );
}

#[test]
fn a_label_edited_under_a_release_costs_one_read() {
    let mut bench = vacating();
    let lease = own(&bench);
    let release = write(&bench.tell(Event::Read(Some(lease.clone()))));
    bench.refuse(&release);
    let release = write(&bench.tell(Event::Read(Some(again(lease, 3)))));
    assert_eq!((release.kind, release.base.map(|base| base.version.0)), (WriteKind::Release, Some(3)));
}

#[test]
fn a_release_whose_answer_is_lost_is_looked_into() {
    let mut bench = vacating();
    let lease = own(&bench);
    let release = write(&bench.tell(Event::Read(Some(lease.clone()))));
    assert_eq!(bench.lose_answer(&release), [Effect::Read]);
    assert_eq!(bench.tell(Event::Read(Some(made_by(&release, 3)))), [], "it had landed");
    assert!(bench.elector.is_at_rest());

    let mut bench = vacating();
    let release = write(&bench.tell(Event::Read(Some(lease.clone()))));
    bench.lose_answer(&release);
    assert_eq!(bench.tell(Event::Read(Some(lease))), [], "it had not, and not at once again");
    assert_eq!(write(&bench.pass_to(1.0)).kind, WriteKind::Release);
}

#[test]
fn the_lease_is_renewed_while_the_work_drains() {
    let mut bench = Bench::leading();
    bench.at(1.0).tell(STEP_DOWN);
    let renewal = bench.renewal_at(2.0);
    bench.land(&renewal, 3);
    let renewal = bench.renewal_at(4.0);
    // The work ends while a renewal is in flight: first its answer, then the release.
    assert_eq!(bench.tell(Event::WorkEnded), []);
    let lease = made_by(&renewal, 4);
    assert_eq!(bench.land(&renewal, 4), [Effect::Ended(EndReason::Released), Effect::Read]);
    assert_eq!(write(&bench.tell(Event::Read(Some(lease)))).kind, WriteKind::Release);
}

#[test]
fn a_renewal_lost_while_stepping_down_is_read_before_the_release() {
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    bench.tell(STEP_DOWN);
    bench.tell(Event::WorkEnded);
    let effects = bench.lose_answer(&renewal);
    assert_eq!(effects, [Effect::Ended(EndReason::Released), Effect::Read]);
    let release = write(&bench.tell(Event::Read(Some(made_by(&renewal, 3)))));
    assert_eq!((release.kind, release.base.map(|base| base.version.0)), (WriteKind::Release, Some(3)));
}

#[test]
fn a_drain_that_takes_too_long_is_aborted_and_the_lease_released_after_the_join() {
    let mut bench = Bench::leading_with(|config| config.drain_timeout = seconds(1.0));
    bench.at(0.5).tell(STEP_DOWN);
    assert_eq!(bench.pass_to(1.5), [Effect::AbortWork(EndReason::DrainTimeout)]);
    assert!(bench.is_valid());
    let renewal = bench.renewal_at(2.0);
    bench.land(&renewal, 3);
    assert_eq!(bench.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
}

#[test]
fn a_term_may_lapse_while_its_work_drains() {
    let mut bench = Bench::leading();
    bench.at(1.0).tell(STEP_DOWN);
    bench.work_alive = false;
    let effects = bench.pass_to(10.0);
    assert_eq!(effects, [Effect::Ended(EndReason::Lapsed), Effect::AbortWork(EndReason::Lapsed)]);
    assert_eq!(bench.pass_to(15.0), [Effect::EndProcess], "the drain timeout does not count any more");
}

#[test]
fn work_that_returns_early_gives_the_lease_up() {
    let mut bench = Bench::leading();
    assert_eq!(bench.at(1.0).tell(Event::WorkEnded), [Effect::Ended(EndReason::Released), Effect::Read]);
    assert_eq!(bench.state(), State::Releasing);
}

#[test]
fn without_release_on_cancel_the_lease_is_left_to_expire_and_to_the_others() {
    let mut bench = Bench::leading_with(|config| config.release = ReleaseStyle::LetExpire);
    bench.at(1.0).tell(STEP_DOWN);
    assert_eq!(bench.tell(Event::WorkEnded), [Effect::Ended(EndReason::Released)]);
    assert_eq!(bench.state(), State::Standby);
    let lease = own(&bench);
    while bench.alarm().is_some_and(|alarm| alarm < 18.0) {
        let alarm = bench.alarm().expect("just seen");
        assert_eq!(bench.pass_to(alarm), [Effect::Read], "not taken again before anyone else could");
        bench.tell(Event::Read(Some(lease.clone())));
    }
    assert_eq!(write(&bench.pass_to(18.0)).kind, WriteKind::Acquire, "nobody wanted it");
}

#[test]
fn a_lease_without_successors_is_deleted() {
    let mut bench = Bench::leading_with(|config| config.release = ReleaseStyle::Delete);
    bench.tell(Event::Contend(false));
    bench.at(1.0).tell(STEP_DOWN);
    bench.tell(Event::WorkEnded);
    let lease = own(&bench);
    let delete = write(&bench.tell(Event::Read(Some(lease.clone()))));
    assert_eq!((delete.kind, delete.base), (WriteKind::Delete, Some(lease.revision)));
    assert_eq!(bench.tell(Event::WriteLanded(delete.attempt, None)), []);
    assert!(bench.elector.is_at_rest());
}

#[test]
fn giving_up_on_a_release_is_final() {
    let mut bench = vacating();
    bench.tell(Event::Contend(false));
    // Nothing gets through for longer than anyone would wait for this Lease.
    bench.tell(Event::ReadFailed { retry_after: None });
    while let Some(alarm) = bench.alarm().filter(|alarm| *alarm < 100.0) {
        if bench.pass_to(alarm) == [Effect::Read] {
            bench.tell(Event::ReadFailed { retry_after: None });
        }
        if bench.elector.is_at_rest() {
            break;
        }
    }
    assert!(bench.elector.is_at_rest());
    assert!(bench.now().monotonic < at(16.0), "{:?}", bench.now());
}
