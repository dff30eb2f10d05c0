//! Which holders are honoured, and until when: those that somebody wrote over, deleted or released.

use lease_core::{Effect, Event, WriteKind};

use crate::dsl::{Harness, anew, blanked, held, released, write};

#[test]
fn whoever_stated_the_longest_wait_is_honoured_whatever_is_written_over_it() {
    // A holder that is cut off does not see the stranger's record, and goes on until the end of its validity.
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    harness.at(1.0).tell(Event::Watched(held("stranger", 2, 2)));
    let blank = blanked(held("stranger", 2, 2), 3);
    harness.at(1.5).tell(Event::Watched(blank.clone()));
    loop {
        let at = harness.alarm().expect("it waits for something");
        let mut effects = harness.pass_to(at);
        if effects == [Effect::Read] {
            effects = harness.tell(Event::Read(Some(blank.clone())));
        }
        if !effects.is_empty() {
            assert!(at >= 15.0, "{effects:?} at {at}");
            break;
        }
    }
}

/// When it tries to take the Lease; until then each of its reads shows `lease`.
fn first_try(harness: &mut Harness, lease: &lease_core::ObservedLease) -> f64 {
    loop {
        let at = harness.alarm().expect("it waits for something");
        let mut effects = harness.pass_to(at);
        if effects == [Effect::Read] {
            effects = harness.tell(Event::Read(Some(lease.clone())));
        }
        if !effects.is_empty() {
            assert_eq!(write(&effects).kind, WriteKind::Acquire);
            return at;
        }
    }
}

#[test]
fn a_release_does_not_end_the_wait_for_whom_somebody_wrote_over() {
    // A client-go candidate takes a blanked Lease at once, and releases it in good order. Who held it before may not know of either.
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    harness.at(1.0).tell(Event::Watched(blanked(held("other", 1, 15), 2)));
    let mut stranger = held("stranger", 3, 15);
    stranger.record.transitions = 6;
    harness.at(1.1).tell(Event::Watched(stranger));
    let mut release = released(4);
    release.record.transitions = 6;
    assert_eq!(harness.at(2.0).tell(Event::Watched(release.clone())), []);
    let tried = first_try(&mut harness, &release);
    assert!((16.0..16.1).contains(&tried), "15 s after the holder was blanked, not at {tried}");
}

#[test]
fn the_release_of_a_holder_that_was_never_seen_frees_nobody_elses_lease() {
    // The watch was broken meanwhile: of the stranger only the release is seen.
    let mut release = released(4);
    release.record.transitions = 6;
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    assert_eq!(harness.at(2.0).tell(Event::Watched(release.clone())), []);
    let tried = first_try(&mut harness, &release);
    assert!((15.0..15.1).contains(&tried), "15 s after the holder was seen, not at {tried}");
}

#[test]
fn a_release_in_another_object_speaks_for_nobody_who_held_the_deleted_one() {
    // Somebody may have taken the Lease while this process saw nothing, and hold it still: it was deleted under them, and a client-go candidate
    // created it anew and released it.
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    let release = anew(released(4), 4);
    assert_eq!(harness.at(60.0).tell(Event::Read(Some(release.clone()))), []);
    let tried = first_try(&mut harness, &release);
    assert!((75.0..75.1).contains(&tried), "15 s after the other object was seen, not at {tried}");

    // The same, where the candidate is seen before it releases.
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    let mut stranger = anew(held("stranger", 4, 2), 4);
    stranger.record.transitions = 0;
    harness.at(60.0).tell(Event::Watched(stranger));
    let mut release = anew(released(5), 5);
    release.revision.uid = anew(released(4), 4).revision.uid;
    release.record.transitions = 0;
    assert_eq!(harness.at(60.1).tell(Event::Watched(release.clone())), []);
    let tried = first_try(&mut harness, &release);
    assert!((75.0..75.1).contains(&tried), "15 s after the other object was seen, not at {tried}");
}

#[test]
fn after_a_handover_that_was_seen_a_release_frees_the_lease_at_once() {
    let (mut harness, effects) =
        Harness::with(|config| config.contend = false).reading(Some(held("first", 1, 15)));
    assert_eq!(effects, []);
    harness.at(1.0).tell(Event::Watched(released(2)));
    let mut second = held("second", 3, 15);
    second.record.transitions = 6;
    harness.at(1.1).tell(Event::Watched(second));
    harness.at(1.2).tell(Event::Contend(true));
    let mut release = released(4);
    release.record.transitions = 6;
    assert_eq!(write(&harness.at(2.0).tell(Event::Watched(release))).kind, WriteKind::Acquire);
}
