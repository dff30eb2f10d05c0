//! How terms end against their holder's will, and what comes after.

use lease_core::WriteKind;
use lease_core::{Effect, EndReason, Event, ObservedLease, State};

use crate::dsl::{Bench, anew, blanked, held, made_by, who, write};

fn own(bench: &Bench) -> ObservedLease {
    bench.elector.lease().cloned().expect("it leads")
}

fn ended(reason: &EndReason) -> [Effect; 2] {
    [Effect::Ended(reason.clone()), Effect::AbortWork(reason.clone())]
}

#[test]
fn another_holder_a_blank_one_or_another_object_ends_a_term_at_once() {
    let cases = [
        (held("thief", 3, 15), EndReason::Taken(Some(who("thief")))),
        (blanked(own(&Bench::leading()), 3), EndReason::Taken(None)),
        (anew(own(&Bench::leading()), 3), EndReason::Vanished),
    ];
    for (seen, reason) in cases {
        let mut bench = Bench::leading();
        assert_eq!(bench.at(0.5).tell(Event::Watched(seen)), ended(&reason));
        assert!(!bench.is_valid());
        assert_eq!(bench.state(), State::Standby, "{reason}");
    }
}

#[test]
fn a_lease_that_vanished_from_the_watch_is_read_and_an_absence_ends_the_term() {
    let mut bench = Bench::leading();
    let uid = own(&bench).revision.uid;
    assert_eq!(bench.tell(Event::Vanished(uid.clone())), [Effect::Read]);
    assert!(bench.is_valid(), "it may only have lost its label");
    let effects = bench.tell(Event::Read(None));
    assert_eq!(effects, ended(&EndReason::Vanished));

    // A watch that showed a renewal meanwhile makes no difference: the Lease is gone since.
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    assert_eq!(bench.lose_answer(&renewal), [Effect::Read]);
    bench.tell(Event::Watched(made_by(&renewal, 3)));
    assert_eq!(bench.tell(Event::Read(None)), ended(&EndReason::Vanished));

    let mut bench = Bench::leading();
    bench.tell(Event::Vanished(uid));
    let known = own(&bench);
    assert_eq!(bench.tell(Event::Read(Some(known))), []);
    assert!(bench.is_valid());
}

#[test]
fn the_end_of_another_object_is_no_news() {
    let mut bench = Bench::leading();
    assert_eq!(bench.tell(Event::Vanished(anew(held("other", 1, 15), 1).revision.uid)), []);
}

#[test]
fn a_term_lapses_exactly_at_renew_deadline() {
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    assert_eq!(bench.alarm(), Some(10.0), "whether or not an answer comes");
    assert_eq!(bench.pass_to(9.999), []);
    assert_eq!(bench.pass_to(10.0), ended(&EndReason::Lapsed));
    assert_eq!(bench.at(10.1).land(&renewal, 3), [], "too late to bring it back");
    assert!(!bench.is_valid());
}

#[test]
fn an_answer_at_the_very_end_of_validity_comes_too_late() {
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    assert_eq!(bench.at(10.0).land(&renewal, 3), ended(&EndReason::Lapsed));
}

#[test]
fn ones_own_lapsed_lease_is_taken_again_after_the_join_with_transitions_unchanged() {
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    bench.pass_to(10.0);
    assert_eq!(bench.lose_answer(&renewal), [Effect::Read]);
    let known = own(&bench);
    assert_eq!(bench.tell(Event::Read(Some(known.clone()))), [], "its work still runs");
    assert_eq!(bench.pass_to(12.5), []);
    let acquire = write(&bench.tell(Event::WorkEnded));
    assert_eq!(acquire.kind, WriteKind::Acquire);
    assert_eq!(acquire.record.transitions, known.record.transitions);
    assert_eq!(acquire.record.acquire_time, known.record.acquire_time);
    assert!(matches!(bench.land(&acquire, 3)[..], [Effect::StartWork(token)] if token.0 == 3));
}

#[test]
fn a_write_that_lands_after_the_term_lapsed_brings_nothing_back() {
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    bench.at(4.6).lose_answer(&renewal);
    bench.tell(Event::ReadFailed { retry_after: None });
    let effects = bench.pass_to(10.0);
    assert!(effects.ends_with(&ended(&EndReason::Lapsed)), "{effects:?}");
    assert_eq!(bench.at(11.0).tell(Event::Watched(made_by(&renewal, 3))), []);
    assert!(!bench.is_valid());
}

#[test]
fn a_write_that_landed_before_the_deletion_is_not_believed_in_after_it() {
    // A term that nobody else disputes, but whose Lease was read as gone before the late watch showed its renewal.
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    assert_eq!(bench.lose_answer(&renewal), [Effect::Read]);
    assert_eq!(bench.tell(Event::Read(None)), ended(&EndReason::Vanished));
    let reserve = write(&bench.tell(Event::WorkEnded));
    assert_eq!(reserve.kind, WriteKind::Reserve);
    assert_eq!(bench.tell(Event::Watched(made_by(&renewal, 3))), []);
    assert!(!bench.is_valid() && bench.state() != State::Leader);
}

#[test]
fn a_suspended_leader_wakes_without_its_term() {
    let mut bench = Bench::leading();
    bench.at(1.0).suspend(9.0);
    assert!(!bench.is_valid());
    assert_eq!(bench.timeout(), ended(&EndReason::Lapsed));
}

#[test]
fn after_a_short_suspend_the_term_is_ended_when_it_is_over_and_not_later() {
    let mut bench = Bench::leading();
    bench.work_alive = false;
    bench.at(1.0).suspend(5.0);
    bench.timeout();
    let effects = bench.pass_to(5.0);
    assert_eq!(effects, ended(&EndReason::Lapsed), "5 s awake and 5 s asleep are the 10");
}

#[test]
fn a_suspended_standby_has_seen_nothing_meanwhile() {
    let (mut bench, _) = Bench::that_read(Some(held("other", 1, 15)));
    bench.at(1.0).suspend(3600.0);
    assert_eq!(bench.timeout(), []);
    assert_eq!(bench.state(), State::Standby);
}

#[test]
fn work_that_is_not_gone_by_lease_duration_ends_the_process() {
    let mut bench = Bench::leading();
    bench.work_alive = false;
    assert_eq!(bench.pass_to(14.9), ended(&EndReason::Lapsed));
    assert_eq!(bench.pass_to(15.0), [Effect::EndProcess]);
    assert_eq!(bench.pass_to(60.0), [], "once is enough");
}

#[test]
fn nothing_is_taken_before_the_join() {
    let mut bench = Bench::leading();
    bench.tell(Event::Watched(held("thief", 3, 1)));
    let effects = bench.pass_to(4.0);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Write(_))), "{effects:?}");
    let effects = bench.tell(Event::WorkEnded);
    assert_eq!(write(&effects).kind, WriteKind::Acquire);
}

#[test]
fn whoever_lost_a_lease_honours_who_has_it() {
    let mut bench = Bench::leading();
    bench.tell(Event::Watched(held("thief", 3, 60)));
    bench.tell(Event::WorkEnded);
    for _ in 0..10 {
        let at = bench.alarm().expect("it polls");
        assert!(at < 60.0);
        assert_eq!(bench.pass_to(at), [Effect::Read]);
        bench.tell(Event::Read(Some(held("thief", 3, 60))));
    }
}

#[test]
fn a_renewal_that_lands_in_another_object_ends_the_term() {
    // Rather than being repeated for ever, as one that does not extend anything.
    let mut bench = Bench::leading();
    let renewal = bench.renewal_at(2.0);
    let landed = Event::WriteLanded(renewal.attempt, Some(anew(made_by(&renewal, 9), 9)));
    assert_eq!(bench.tell(landed), ended(&EndReason::Vanished));
}

/// The work ends at once and is joined; only then is the Lease given up, and only by a candidate that does not contend.
#[test]
fn an_abandoned_term_ends_as_on_a_loss_and_is_released_after_the_join() {
    let mut bench = Bench::leading();
    bench.at(0.5).tell(Event::Contend(false));
    let reason = EndReason::Abandoned;
    assert_eq!(bench.tell(Event::Abandon), [Effect::Ended(reason.clone()), Effect::AbortWork(reason)]);
    assert!(!bench.is_valid(), "over at once");
    assert_eq!(bench.pass_to(3.0), [], "nothing is released beside work that still runs");
    assert_eq!(bench.tell(Event::WorkEnded), [Effect::Read]);
    let lease = bench.elector.lease().cloned().expect("seen");
    assert_eq!(write(&bench.tell(Event::Read(Some(lease)))).kind, WriteKind::Release);
}
