//! How terms end against their holder's will, and what comes after.

use lease_core::WriteKind;
use lease_core::{Effect, EndReason, Event, ObservedLease, State};

use crate::dsl::{Harness, anew, blanked, held, made_by, who, write};

fn own(harness: &Harness) -> ObservedLease {
    harness.elector.lease().cloned().expect("it leads")
}

fn ended(reason: &EndReason) -> [Effect; 2] {
    [Effect::Ended(reason.clone()), Effect::AbortWork(reason.clone())]
}

#[test]
fn another_holder_a_blank_one_or_another_object_ends_a_term_at_once() {
    let cases = [
        (held("thief", 3, 15), EndReason::Taken(Some(who("thief")))),
        (blanked(own(&Harness::leading()), 3), EndReason::Taken(None)),
        (anew(own(&Harness::leading()), 3), EndReason::Vanished),
    ];
    for (seen, reason) in cases {
        let mut harness = Harness::leading();
        assert_eq!(harness.at(0.5).tell(Event::Watched(seen)), ended(&reason));
        assert!(!harness.is_valid());
        assert_eq!(harness.state(), State::Standby, "{reason}");
    }
}

#[test]
fn a_lease_that_vanished_from_the_watch_is_read_and_an_absence_ends_the_term() {
    let mut harness = Harness::leading();
    let uid = own(&harness).revision.uid;
    assert_eq!(harness.tell(Event::Vanished(uid.clone())), [Effect::Read]);
    assert!(harness.is_valid(), "it may only have lost its label");
    let effects = harness.tell(Event::Read(None));
    assert_eq!(effects, ended(&EndReason::Vanished));

    // A watch that showed a renewal meanwhile makes no difference: the Lease is gone since.
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.lose_answer(&renewal), [Effect::Read]);
    harness.tell(Event::Watched(made_by(&renewal, 3)));
    assert_eq!(harness.tell(Event::Read(None)), ended(&EndReason::Vanished));

    let mut harness = Harness::leading();
    harness.tell(Event::Vanished(uid));
    let known = own(&harness);
    assert_eq!(harness.tell(Event::Read(Some(known))), []);
    assert!(harness.is_valid());
}

#[test]
fn the_end_of_another_object_is_no_news() {
    let mut harness = Harness::leading();
    assert_eq!(harness.tell(Event::Vanished(anew(held("other", 1, 15), 1).revision.uid)), []);
}

#[test]
fn a_term_lapses_exactly_at_renew_deadline() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.alarm(), Some(10.0), "whether or not an answer comes");
    assert_eq!(harness.pass_to(9.999), []);
    assert_eq!(harness.pass_to(10.0), ended(&EndReason::Lapsed));
    assert_eq!(harness.at(10.1).land(&renewal, 3), [], "too late to bring it back");
    assert!(!harness.is_valid());
}

#[test]
fn an_answer_at_the_very_end_of_validity_comes_too_late() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.at(10.0).land(&renewal, 3), ended(&EndReason::Lapsed));
}

#[test]
fn ones_own_lapsed_lease_is_taken_again_after_the_join_with_transitions_unchanged() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    harness.pass_to(10.0);
    assert_eq!(harness.lose_answer(&renewal), [Effect::Read]);
    let known = own(&harness);
    assert_eq!(harness.tell(Event::Read(Some(known.clone()))), [], "its work still runs");
    assert_eq!(harness.pass_to(12.5), []);
    let acquire = write(&harness.tell(Event::WorkEnded));
    assert_eq!(acquire.kind, WriteKind::Acquire);
    assert_eq!(acquire.record.transitions, known.record.transitions);
    assert_eq!(acquire.record.acquire_time, known.record.acquire_time);
    assert!(matches!(harness.land(&acquire, 3)[..], [Effect::StartWork(token)] if token.0 == 3));
}

#[test]
fn a_write_that_lands_after_the_term_lapsed_brings_nothing_back() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    harness.at(4.6).lose_answer(&renewal);
    harness.tell(Event::ReadFailed { retry_after: None });
    let effects = harness.pass_to(10.0);
    assert!(effects.ends_with(&ended(&EndReason::Lapsed)), "{effects:?}");
    assert_eq!(harness.at(11.0).tell(Event::Watched(made_by(&renewal, 3))), []);
    assert!(!harness.is_valid());
}

#[test]
fn a_write_that_landed_before_the_deletion_is_not_believed_in_after_it() {
    // A term that nobody else disputes, but whose Lease was read as gone before the late watch showed its renewal.
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.lose_answer(&renewal), [Effect::Read]);
    assert_eq!(harness.tell(Event::Read(None)), ended(&EndReason::Vanished));
    let reserve = write(&harness.tell(Event::WorkEnded));
    assert_eq!(reserve.kind, WriteKind::Reserve);
    assert_eq!(harness.tell(Event::Watched(made_by(&renewal, 3))), []);
    assert!(!harness.is_valid() && harness.state() != State::Leader);
}

#[test]
fn a_suspended_leader_wakes_without_its_term() {
    let mut harness = Harness::leading();
    harness.at(1.0).suspend(9.0);
    assert!(!harness.is_valid());
    assert_eq!(harness.timeout(), ended(&EndReason::Lapsed));
}

#[test]
fn after_a_short_suspend_the_term_is_ended_when_it_is_over_and_not_later() {
    let mut harness = Harness::leading();
    harness.work_alive = false;
    harness.at(1.0).suspend(5.0);
    harness.timeout();
    let effects = harness.pass_to(5.0);
    assert_eq!(effects, ended(&EndReason::Lapsed), "5 s awake and 5 s asleep are the 10");
}

#[test]
fn a_suspended_standby_has_seen_nothing_meanwhile() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    harness.at(1.0).suspend(3600.0);
    assert_eq!(harness.timeout(), []);
    assert_eq!(harness.state(), State::Standby);
}

#[test]
fn work_that_is_not_gone_by_lease_duration_ends_the_process() {
    let mut harness = Harness::leading();
    harness.work_alive = false;
    assert_eq!(harness.pass_to(14.9), ended(&EndReason::Lapsed));
    assert_eq!(harness.pass_to(15.0), [Effect::EndProcess]);
    assert_eq!(harness.pass_to(60.0), [], "once is enough");
}

#[test]
fn nothing_is_taken_before_the_join() {
    let mut harness = Harness::leading();
    harness.tell(Event::Watched(held("thief", 3, 1)));
    let effects = harness.pass_to(4.0);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Write(_))), "{effects:?}");
    let effects = harness.tell(Event::WorkEnded);
    assert_eq!(write(&effects).kind, WriteKind::Acquire);
}

#[test]
fn whoever_lost_a_lease_honours_who_has_it() {
    let mut harness = Harness::leading();
    harness.tell(Event::Watched(held("thief", 3, 60)));
    harness.tell(Event::WorkEnded);
    for _ in 0..10 {
        let at = harness.alarm().expect("it polls");
        assert!(at < 60.0);
        assert_eq!(harness.pass_to(at), [Effect::Read]);
        harness.tell(Event::Read(Some(held("thief", 3, 60))));
    }
}

#[test]
fn a_renewal_that_lands_in_another_object_ends_the_term() {
    // Rather than being repeated for ever, as one that does not extend anything.
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    let landed = Event::WriteLanded(renewal.attempt, Some(anew(made_by(&renewal, 9), 9)));
    assert_eq!(harness.tell(landed), ended(&EndReason::Vanished));
}

/// The work ends at once and is joined; only then is the Lease given up, and only by a candidate that does not contend.
#[test]
fn an_abandoned_term_ends_as_on_a_loss_and_is_released_after_the_join() {
    let mut harness = Harness::leading();
    harness.at(0.5).tell(Event::Contend(false));
    let reason = EndReason::Abandoned;
    assert_eq!(harness.tell(Event::Abandon), [Effect::Ended(reason.clone()), Effect::AbortWork(reason)]);
    assert!(!harness.is_valid(), "over at once");
    assert_eq!(harness.pass_to(3.0), [], "nothing is released beside work that still runs");
    assert_eq!(harness.tell(Event::WorkEnded), [Effect::Read]);
    let lease = harness.elector.lease().cloned().expect("seen");
    assert_eq!(write(&harness.tell(Event::Read(Some(lease)))).kind, WriteKind::Release);
}
