//! Starting, Standby, Expired, Acquiring.

use std::sync::Arc;
use std::time::Duration;

use lease_core::WriteKind;
use lease_core::{Creation, Effect, Event, State, Successors};

use crate::dsl::{Harness, again, blanked, held, lease, made_by, released, seconds, who, write};

#[test]
fn a_missing_lease_is_created_in_nobodys_name_and_taken_when_that_expires() {
    let (mut harness, effects) = Harness::that_read(None);
    let reserve = write(&effects);
    assert_eq!((reserve.kind, reserve.base.as_ref()), (WriteKind::Reserve, None));
    assert!(reserve.record.is_reserved() && reserve.record.lease_duration == Some(seconds(15.0)));
    assert_eq!(reserve.record.transitions, 0);
    assert_eq!(harness.at(1.0).land(&reserve, 1), []);
    assert_eq!(harness.state(), State::Standby);

    // The watch shows it as well, and the polls in between show nothing new.
    assert_eq!(harness.tell(Event::Watched(made_by(&reserve, 1))), []);
    harness.at(15.9);
    assert_eq!(harness.timeout(), [Effect::Read]);
    assert_eq!(harness.tell(Event::Read(Some(made_by(&reserve, 1)))), []);
    let acquire = write(&harness.pass_to(16.0));
    assert_eq!(acquire.kind, WriteKind::Acquire);
    assert_eq!(acquire.base, Some(made_by(&reserve, 1).revision));
    assert_eq!(acquire.record.transitions, 0, "the number of the first holder");
    assert!(matches!(harness.land(&acquire, 2)[..], [Effect::StartWork(token)] if token.0 == 2));
    assert_eq!(harness.state(), State::Leader);
}

#[test]
fn it_says_for_whom_it_waits_and_for_how_long() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    let waits_for = |harness: &Harness| {
        harness.elector.waits_for().map(|(holder, duration)| (holder.as_str().to_owned(), duration.as_secs()))
    };
    assert_eq!(waits_for(&harness), Some(("other".to_owned(), 15)));
    harness.tell(Event::Contend(false));
    assert_eq!(waits_for(&harness), None, "it does not contend");
    assert_eq!(waits_for(&Harness::leading()), None);
}

#[test]
fn an_absence_that_lasts_proves_nothing() {
    // Two reads without a Lease: in between, somebody may have held one.
    let (mut harness, effects) = Harness::that_read(None);
    let reserve = write(&effects);
    assert_eq!(harness.lose_answer(&reserve), [Effect::Read]);
    assert_eq!(harness.tell(Event::Read(None)), []);
    let reserve = write(&harness.pass_to(2.0));
    assert_eq!(reserve.kind, WriteKind::Reserve, "and not Acquire, however long that has lasted");
}

#[test]
fn a_lease_in_nobodys_name_waits_for_what_the_last_holder_stated() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 7, 60)));
    assert_eq!(harness.tell(Event::Vanished(held("other", 7, 60).revision.uid)), [Effect::Read]);
    let reserve = write(&harness.tell(Event::Read(None)));
    assert_eq!(reserve.record.lease_duration, Some(seconds(60.0)));
    assert_eq!(reserve.record.transitions, 6, "goes on from the largest known");
}

#[test]
fn two_candidates_count_one_acquisition_of_a_lease_in_nobodys_name() {
    let mut reserved = held("nobody-before-it-expires", 3, 15);
    reserved.record.transitions = 4;
    let (mut harness, _) = Harness::that_read(Some(reserved));
    assert_eq!(harness.pass_to(14.9).len(), 1, "a poll");
    harness.tell(Event::ReadFailed { retry_after: None });
    let read = harness.pass_to(20.0);
    assert_eq!(read, [Effect::Read]);
    let mut reserved = held("nobody-before-it-expires", 3, 15);
    reserved.record.transitions = 4;
    let acquire = write(&harness.tell(Event::Read(Some(reserved))));
    assert_eq!(acquire.record.transitions, 4);
}

#[test]
fn names_that_nobody_else_uses_are_created_at_once() {
    let (mut harness, effects) = Harness::with(|config| config.creation = Creation::AtOnce).reading(None);
    let acquire = write(&effects);
    assert_eq!((acquire.kind, acquire.base.as_ref()), (WriteKind::Acquire, None));
    assert_eq!(acquire.record.holder, Some(who("me")));
    assert_eq!(acquire.record.transitions, 0);
    assert!(matches!(harness.land(&acquire, 1)[..], [Effect::StartWork(_)]));
}

#[test]
fn others_create_what_this_candidate_may_not() {
    let (mut harness, effects) = Harness::with(|config| config.creation = Creation::Never).reading(None);
    assert_eq!(effects, []);
    assert_eq!(harness.pass_to(4.0), [Effect::Read], "it looks again, and does not create");
    assert_eq!(harness.tell(Event::Read(None)), []);
    let acquire = write(&harness.tell(Event::Watched(released(3))));
    assert_eq!(acquire.kind, WriteKind::Acquire);
}

#[test]
fn an_object_without_a_record_is_honoured_for_ones_own_duration() {
    let (mut harness, effects) = Harness::that_read(Some(lease(1, lease_core::LeaseRecord::default())));
    assert_eq!(effects, []);
    harness.pass_to(14.9);
    harness.tell(Event::Watched(lease(1, lease_core::LeaseRecord::default())));
    harness.tell(Event::Read(Some(lease(1, lease_core::LeaseRecord::default()))));
    assert_eq!(write(&harness.pass_to(15.0)).kind, WriteKind::Acquire);
}

#[test]
fn a_released_lease_is_taken_at_once_with_no_read_before_it() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    let acquire = write(&harness.at(0.5).tell(Event::Watched(released(2))));
    assert_eq!(acquire.kind, WriteKind::Acquire);
    assert_eq!(acquire.base, Some(released(2).revision));
    assert_eq!(acquire.record.transitions, 6);
    assert_eq!(acquire.successor, None);
    assert_eq!(harness.state(), State::Acquiring);
}

#[test]
fn a_holder_blanked_by_hand_is_honoured_until_it_expires() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    let blank = blanked(held("other", 1, 15), 2);
    assert_eq!(harness.at(1.0).tell(Event::Watched(blank.clone())), []);
    harness.pass_to(15.9);
    harness.tell(Event::Read(Some(blank)));
    assert_eq!(write(&harness.pass_to(16.0)).kind, WriteKind::Acquire, "15 s after the edit");
}

#[test]
fn a_holder_is_judged_by_what_it_states_from_first_sight() {
    for stated in [5, 60] {
        // Its renewTime is decades ago by the local wall clock, which is no business of anyone's.
        let (mut harness, effects) = Harness::that_read(Some(held("other", 1, stated)));
        assert_eq!((effects, harness.state()), (vec![], State::Standby));
        let mut at = 0.0;
        loop {
            at += 1.0;
            let effects = harness.pass_to(at);
            if let [Effect::Write(acquire)] = &effects[..] {
                assert_eq!(acquire.base, Some(held("other", 1, stated).revision));
                break;
            }
            for effect in effects {
                assert_eq!(effect, Effect::Read, "polls, since the watch shows nothing");
                harness.tell(Event::Read(Some(held("other", 1, stated))));
            }
        }
        assert!((at - Duration::from_secs(stated).as_secs_f64()).abs() < 0.01, "{stated} s, not {at}");
    }
}

#[test]
fn any_change_of_the_holder_begins_the_wait_anew() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 5)));
    for round in 1..10_u32 {
        harness.at(4.0 * f64::from(round)).tell(Event::Watched(held("other", 1 + u64::from(round), 5)));
        assert_eq!(harness.state(), State::Standby);
    }
}

#[test]
fn a_conflict_is_news_read_and_decided_upon() {
    let (mut harness, effects) = Harness::that_read(Some(released(1)));
    assert_eq!(harness.refuse(&write(&effects)), [Effect::Read]);
    assert_eq!(harness.tell(Event::Read(Some(held("faster", 2, 15)))), []);
    assert_eq!(harness.state(), State::Standby);
}

#[test]
fn a_conflict_over_a_label_costs_one_read() {
    let (mut harness, effects) = Harness::that_read(Some(released(1)));
    harness.refuse(&write(&effects));
    let acquire = write(&harness.tell(Event::Read(Some(again(released(1), 2)))));
    assert_eq!(acquire.base, Some(again(released(1), 2).revision));
}

#[test]
fn a_candidate_that_does_not_contend_takes_nothing_until_told_to() {
    let (mut harness, effects) = Harness::with(|config| config.contend = false).reading(Some(released(1)));
    assert_eq!((effects, harness.state()), (vec![], State::Expired));
    assert!(harness.elector.is_at_rest());
    assert_eq!(write(&harness.tell(Event::Contend(true))).kind, WriteKind::Acquire);
}

#[test]
fn the_acquire_delay_leaves_a_free_lease_to_others_for_a_while() {
    let (mut harness, effects) =
        Harness::with(|config| config.acquire_delay = seconds(0.7)).reading(Some(released(1)));
    assert_eq!((effects, harness.state()), (vec![], State::Expired));
    assert_eq!(harness.pass_to(0.6), []);
    assert_eq!(write(&harness.pass_to(0.7)).kind, WriteKind::Acquire);

    let (mut harness, _) =
        Harness::with(|config| config.acquire_delay = seconds(60.0)).reading(Some(released(1)));
    assert_eq!(write(&harness.tell(Event::AcquireDelay(seconds(0.0)))).kind, WriteKind::Acquire);
}

#[test]
fn a_named_successor_comes_first_and_the_others_a_retry_period_later() {
    let mut lease = released(1);
    lease.successor = Some(who("me"));
    let (_, effects) =
        Harness::with(|config| config.acquire_delay = seconds(60.0)).reading(Some(lease.clone()));
    assert_eq!(write(&effects).kind, WriteKind::Acquire);

    lease.successor = Some(who("other"));
    let (mut harness, effects) = Harness::that_read(Some(lease));
    assert_eq!(effects, []);
    assert_eq!(harness.pass_to(1.9), []);
    assert_eq!(write(&harness.pass_to(2.0)).kind, WriteKind::Acquire);
}

#[test]
fn a_named_successor_that_is_leaving_itself_is_not_waited_for() {
    let among = |names: &[&str]| {
        Event::Successors(Successors::Among(Arc::new(names.iter().map(|name| who(name)).collect())))
    };
    let mut lease = released(1);
    lease.successor = Some(who("leaving"));
    let named = || Harness::with(|config| config.acquire_delay = seconds(0.3)).reading(Some(lease.clone())).0;

    // That it leaves becomes known while it is waited for, or was known before.
    let mut harness = named();
    assert_eq!(harness.at(0.1).tell(among(&["me", "leaving"])), []);
    assert_eq!(harness.at(0.2).tell(among(&["me"])), [], "its own delay is as long as ever");
    assert_eq!(write(&harness.pass_to(0.3)).kind, WriteKind::Acquire);
    assert_eq!(write(&named().at(1.0).tell(among(&[]))).kind, WriteKind::Acquire);

    // Whoever is named comes first all the same, even where its own membership has not come back to it yet.
    lease.successor = Some(who("me"));
    let mut harness =
        Harness::with(|config| config.acquire_delay = seconds(60.0)).reading(Some(held("other", 1, 15))).0;
    assert_eq!(harness.tell(among(&["other"])), []);
    lease.revision = released(2).revision;
    assert_eq!(write(&harness.tell(Event::Watched(lease))).kind, WriteKind::Acquire);
}

#[test]
fn an_acquisition_that_nobody_wants_any_more_is_released() {
    let (mut harness, effects) = Harness::that_read(Some(released(1)));
    let acquire = write(&effects);
    harness.tell(Event::Contend(false));
    assert_eq!(harness.land(&acquire, 2), [Effect::Read]);
    let release = write(&harness.tell(Event::Read(Some(made_by(&acquire, 2)))));
    assert_eq!(release.kind, WriteKind::Release);
    harness.land(&release, 3);
    assert!(harness.elector.is_at_rest());
}

#[test]
fn an_acquisition_counts_from_its_sending_and_not_at_all_after_renew_deadline() {
    let (mut harness, effects) = Harness::that_read(Some(released(1)));
    harness.at(4.0).land(&write(&effects), 2);
    assert!(harness.at(9.9).is_valid() && !harness.at(10.0).is_valid());

    let (mut harness, effects) = Harness::that_read(Some(released(1)));
    let late = write(&effects);
    let again = write(&harness.at(10.0).land(&late, 2));
    assert_eq!(again.kind, WriteKind::Acquire, "its own Lease, once more and in time");
    assert_eq!(again.record.transitions, late.record.transitions);
    assert_eq!(again.record.acquire_time, late.record.acquire_time);
}
