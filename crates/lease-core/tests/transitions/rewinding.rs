//! History runs backwards: etcd was restored from a backup.

use lease_core::WriteKind;
use lease_core::{Effect, EndReason, Event, ObservedLease, State};

use crate::dsl::{Harness, again, anew, held, made_by, released, who, write};

fn own(harness: &Harness) -> ObservedLease {
    harness.elector.lease().cloned().expect("it leads")
}

/// A leader by version 9 whose renewal conflicts, and that reads this.
fn leader_that_reads(lease: ObservedLease) -> (Harness, Vec<Effect>) {
    let mut harness = Harness::leading();
    harness.tell(Event::Watched(again(own(&harness), 9)));
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.refuse(&renewal), [Effect::Read]);
    let effects = harness.tell(Event::Read(Some(lease)));
    (harness, effects)
}

fn is_proof(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Rewound { .. }))
}

#[test]
fn a_read_of_an_older_version_than_was_known_ends_the_term_at_once() {
    let (harness, effects) = leader_that_reads(again(own(&Harness::leading()), 5));
    assert!(is_proof(&effects), "{effects:?}");
    assert_eq!(
        effects[1..],
        [Effect::Ended(EndReason::Rewound), Effect::AbortWork(EndReason::Rewound)],
        "even though the Lease names this process: its token is of the history that is gone"
    );
    assert!(!harness.is_valid());
}

#[test]
fn an_older_version_of_another_object_of_the_name_proves_it_as_well() {
    let (_, effects) = leader_that_reads(anew(held("other", 5, 15), 5));
    assert!(is_proof(&effects), "{effects:?}");
}

#[test]
fn whatever_the_lease_says_it_is_left_alone_for_lease_duration() {
    for shown in [released(5), held("other", 5, 1), again(own(&Harness::leading()), 5)] {
        let (mut harness, _) = leader_that_reads(shown.clone());
        harness.tell(Event::WorkEnded);
        let mut version = 5;
        loop {
            let at = harness.alarm().expect("it waits for something");
            let effects = harness.pass_to(at);
            match effects.as_slice() {
                [Effect::Read] => {
                    assert_eq!(harness.tell(Event::Read(Some(again(shown.clone(), version)))), []);
                }
                [] => {}
                _ => {
                    assert_eq!(write(&effects).kind, WriteKind::Acquire);
                    assert!(at >= 17.0, "{shown:?} was taken at {at}, LeaseDuration after 2.0 is 17.0");
                    version += 1;
                    let effects = harness.land(&write(&effects), version);
                    assert!(matches!(effects[..], [Effect::StartWork(token)] if token.0 == 6), "{effects:?}");
                    break;
                }
            }
        }
    }
}

#[test]
fn what_grows_goes_on_from_the_largest_ever_seen() {
    let (mut harness, _) = leader_that_reads(again(released(5), 5));
    let before = own(&Harness::leading()).record;
    harness.tell(Event::WorkEnded);
    let mut effects = Vec::new();
    while !matches!(effects[..], [Effect::Write(_)]) {
        let at = harness.alarm().expect("it waits for something");
        effects = harness.pass_to(at);
        if effects == [Effect::Read] {
            harness.tell(Event::Read(Some(released(5))));
        }
    }
    let record = write(&effects).record;
    assert!(record.renew_time > before.renew_time && record.transitions > before.transitions);
}

#[test]
fn neither_a_watch_nor_a_read_that_was_overtaken_proves_anything() {
    let mut harness = Harness::leading();
    harness.tell(Event::Watched(again(own(&harness), 9)));
    assert_eq!(harness.tell(Event::Watched(again(own(&harness), 5))), [], "a list of a cache may be old");
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.lose_answer(&renewal), [Effect::Read]);
    // The read was sent when 9 was known; the watch shows 12 before its answer, 11, arrives.
    harness.tell(Event::Watched(made_by(&renewal, 12)));
    assert_eq!(harness.tell(Event::Read(Some(again(made_by(&renewal, 11), 11)))), []);
    assert!(harness.is_valid());
}

#[test]
fn a_standby_learns_it_from_its_next_look_and_old_news_do_not_put_that_off() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 9, 15)));
    for at in [1.0, 2.0, 3.0, 3.9] {
        assert_eq!(harness.at(at).tell(Event::Watched(held("other", 5, 15))), []);
    }
    assert_eq!(harness.pass_to(4.0), [Effect::Read]);
    assert!(is_proof(&harness.tell(Event::Read(Some(held("other", 5, 15))))));
    assert_eq!(harness.state(), State::Standby);
}

#[test]
fn what_another_candidate_has_proved_ends_the_term_and_voids_the_answer_under_way() {
    let mut harness = Harness::leading();
    let renewal = harness.renewal_at(2.0);
    let effects = harness.tell(Event::Rewound);
    assert_eq!(effects, [Effect::Ended(EndReason::Rewound), Effect::AbortWork(EndReason::Rewound)]);
    assert_eq!(harness.tell(Event::WorkEnded), []);
    assert_eq!(harness.land(&renewal, 3), [], "nobody knows of which history this is");
    assert!(!harness.is_valid() && harness.elector.lease().is_none());
    assert_eq!(harness.pass_to(4.0), [Effect::Read]);
    assert_eq!(
        harness.tell(Event::Read(Some(held("other", 2, 15)))),
        [],
        "no proof: nothing was known any more"
    );

    let (mut harness, _) = Harness::that_read(Some(held("other", 9, 15)));
    assert_eq!(harness.pass_to(4.0), [Effect::Read]);
    assert_eq!(harness.tell(Event::Rewound), []);
    assert_eq!(harness.tell(Event::Read(Some(held("other", 5, 15)))), [], "sent before, so void");
    assert!(harness.elector.lease().is_none());
}

#[test]
fn a_missing_lease_is_not_made_at_once_either() {
    let mut harness = Harness::with(|config| config.creation = lease_core::Creation::AtOnce);
    assert_eq!(harness.timeout(), [Effect::Read]);
    harness.tell(Event::Read(Some(held("other", 9, 15))));
    harness.tell(Event::Rewound);
    assert_eq!(harness.pass_to(2.0), [Effect::Read]);
    assert_eq!(harness.tell(Event::Read(None)), []);
    let mut at = 2.0;
    let mut effects = Vec::new();
    while !matches!(effects[..], [Effect::Write(_)]) {
        at = harness.alarm().expect("it waits for something");
        effects = harness.pass_to(at);
        if effects == [Effect::Read] {
            harness.tell(Event::Read(None));
        }
    }
    assert!(at >= 15.0, "made at {at}");
    assert_eq!(write(&effects).record.holder, Some(who("me")));
}

#[test]
fn who_is_to_stop_gives_nothing_up_that_may_be_somebody_elses() {
    let (mut harness, _) = leader_that_reads(again(own(&Harness::leading()), 5));
    harness.tell(Event::Contend(false));
    assert_eq!(harness.tell(Event::WorkEnded), [], "a release would let others in at once");
    assert!(harness.elector.is_at_rest());
}

/// A standby that saw version 9 of a Lease that the backup does not have, and makes it anew: nothing has proved anything yet.
fn makes_it_anew(known: u64) -> (Harness, lease_core::Write) {
    let (mut harness, _) = Harness::that_read(Some(held("other", known, 15)));
    assert_eq!(harness.pass_to(4.0), [Effect::Read]);
    let effects = harness.tell(Event::Read(None));
    assert!(!is_proof(&effects), "what is missing has no version");
    let reserves = write(&effects);
    assert_eq!(reserves.kind, WriteKind::Reserve);
    (harness, reserves)
}

#[test]
fn a_write_that_is_accepted_with_a_version_below_what_was_known_proves_it() {
    let (mut harness, reserves) = makes_it_anew(9);
    let made = anew(made_by(&reserves, 7), 7);
    let effects = harness.tell(Event::WriteLanded(reserves.attempt, Some(made.clone())));
    assert!(is_proof(&effects), "{effects:?}");
    assert!(harness.elector.lease().is_none(), "everything begins anew");

    let (mut harness, reserves) = makes_it_anew(9);
    assert!(is_proof(&harness.tell(Event::Watched(made))), "however it is learned that it was accepted");
    let made = anew(made_by(&reserves, 7), 7);
    assert_eq!(harness.tell(Event::WriteLanded(reserves.attempt, Some(made))), [], "it proves it once");
}

#[test]
fn a_write_above_what_was_known_when_it_was_sent_proves_nothing() {
    let (mut harness, reserves) = makes_it_anew(9);
    let made = anew(made_by(&reserves, 10), 10);
    assert_eq!(harness.tell(Event::WriteLanded(reserves.attempt, Some(made))), []);

    // The watch is faster than the answer: 10 is ours, 12 somebody else's.
    let (mut harness, reserves) = makes_it_anew(9);
    assert_eq!(harness.tell(Event::Watched(anew(held("third", 12, 15), 12))), []);
    let made = anew(made_by(&reserves, 10), 10);
    assert_eq!(harness.tell(Event::WriteLanded(reserves.attempt, Some(made))), []);
    assert_eq!(harness.elector.lease().map(|lease| lease.revision.version.0), Some(12));
}

#[test]
fn what_somebody_else_made_anew_below_what_was_known_proves_it_once_it_is_read() {
    let (mut harness, reserves) = makes_it_anew(9);
    assert_eq!(harness.refuse(&reserves), [Effect::Read]);
    assert!(is_proof(&harness.tell(Event::Read(Some(anew(held("third", 7, 15), 7))))));
}

#[test]
fn who_makes_its_lease_at_once_holds_nothing_by_a_version_below_what_was_known() {
    let mut harness = Harness::with(|config| config.creation = lease_core::Creation::AtOnce);
    assert_eq!(harness.timeout(), [Effect::Read]);
    let first = write(&harness.tell(Event::Read(None)));
    assert!(matches!(harness.land(&first, 9)[..], [Effect::StartWork(_)]));
    let renewal = harness.renewal_at(2.0);
    assert_eq!(harness.refuse(&renewal), [Effect::Read]);
    harness.tell(Event::Read(None));
    let effects = harness.tell(Event::WorkEnded);
    let second = write(&if effects.is_empty() { harness.pass_to(6.0) } else { effects });
    assert_eq!(second.kind, WriteKind::Acquire);
    let effects = harness.tell(Event::WriteLanded(second.attempt, Some(anew(made_by(&second, 4), 4))));
    assert!(is_proof(&effects) && !harness.is_valid(), "{effects:?}");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::StartWork(_))));
}

#[test]
fn rewinds_that_follow_each_other_are_looked_for_more_and_more_seldom() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 9, 15)));
    let mut at = 4.0;
    assert_eq!(harness.pass_to(at), [Effect::Read]);
    for pause in [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
        assert_eq!(harness.at(at).tell(Event::Rewound), []);
        // The read that is under way is void.
        assert_eq!(harness.tell(Event::Read(None)), []);
        assert_eq!(harness.alarm(), Some(at + pause), "four LeaseDurations at most");
        at += pause;
        assert_eq!(harness.pass_to(at), [Effect::Read]);
    }
    at += 121.0;
    harness.at(at).tell(Event::Rewound);
    let void = Event::Read(Some(held("other", 3, 15)));
    assert_eq!(harness.tell(void), [], "the read was sent before");
    assert_eq!(harness.alarm(), Some(at + 2.0), "after a quiet time it begins anew");
}
