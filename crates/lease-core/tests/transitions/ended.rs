//! A holder whose process is proven to have ended.

use std::time::Duration;

use lease_core::{EndedProcesses, Event, State, WriteKind};

use crate::dsl::{Harness, anew, at, blanked, held, released, seconds, who, write};

/// A machine that knows since the instant 0 that these have ended, and whose first read shows this.
fn knowing(ended: &[&str], lease: lease_core::ObservedLease) -> Harness {
    let transit = Duration::from_secs(5);
    let ended = ended.iter().map(|name| (who(name), transit));
    let ended = EndedProcesses::proven_by_lock(true, at(0.0), ended);
    Harness::with(|config| config.ended = ended).reading(Some(lease)).0
}

/// When it tries to take the Lease; until then each of its reads shows `lease`.
fn first_try(harness: &mut Harness, lease: &lease_core::ObservedLease) -> f64 {
    loop {
        let at = harness.alarm().expect("it waits for something");
        let mut effects = harness.pass_to(at);
        if effects == [lease_core::Effect::Read] {
            effects = harness.tell(Event::Read(Some(lease.clone())));
        }
        if !effects.is_empty() {
            let acquire = write(&effects);
            assert_eq!((acquire.kind, acquire.base.as_ref()), (WriteKind::Acquire, Some(&lease.revision)));
            return at;
        }
    }
}

#[test]
fn its_lease_is_taken_when_nothing_of_it_can_be_on_its_way() {
    let lease = held("before", 1, 15);
    let mut harness = knowing(&["before"], lease.clone());
    assert_eq!(harness.state(), State::Standby);
    assert_eq!(harness.elector.waits_for(), None, "it waits for nobody to renew");
    let tried = first_try(&mut harness, &lease);
    assert!((5.0..5.01).contains(&tried), "LeaseDuration − RenewDeadline after the proof, not at {tried}");
}

#[test]
fn a_write_of_it_that_arrives_late_begins_no_wait() {
    let mut harness = knowing(&["before"], held("before", 1, 15));
    let late = held("before", 2, 15);
    assert_eq!(harness.at(4.0).tell(Event::Watched(late.clone())), []);
    let tried = first_try(&mut harness, &late);
    assert!((5.0..5.01).contains(&tried), "not at {tried}");
}

#[test]
fn a_lease_of_it_that_shows_up_later_is_taken_at_once() {
    let ended = EndedProcesses::proven_by_lock(true, at(0.0), [(who("before"), seconds(5.0))]);
    let idle = Harness::with(|config| (config.ended, config.contend) = (ended, false));
    let (mut harness, _) = idle.reading(Some(released(1)));
    harness.at(20.0);
    // Restored from a backup, for example: whoever has ended stays so.
    harness.tell(Event::Watched(held("before", 5, 15)));
    assert_eq!(harness.state(), State::Expired);
}

#[test]
fn any_other_holder_is_honoured_until_it_expires() {
    let lease = held("other", 1, 15);
    let mut harness = knowing(&["before"], lease.clone());
    let tried = first_try(&mut harness, &lease);
    assert!((15.0..15.01).contains(&tried), "not at {tried}");

    let blank = blanked(held("before", 1, 15), 2);
    let mut harness = knowing(&["before"], blank.clone());
    let tried = first_try(&mut harness, &blank);
    assert!((15.0..15.01).contains(&tried), "a blank may hide anybody, not at {tried}");
}

#[test]
fn whoever_was_overwritten_by_it_is_honoured_as_ever() {
    let lease = held("before", 2, 15);
    let mut harness = knowing(&["before"], held("other", 1, 15));
    harness.at(1.0).tell(Event::Watched(lease.clone()));
    let tried = first_try(&mut harness, &lease);
    assert!((15.0..15.01).contains(&tried), "15 s after the other was seen, not at {tried}");

    // The same where the object was deleted under the other.
    let lease = anew(held("before", 2, 15), 2);
    let mut harness = knowing(&["before"], held("other", 1, 15));
    harness.at(1.0).tell(Event::Watched(lease.clone()));
    let tried = first_try(&mut harness, &lease);
    assert!((16.0..16.01).contains(&tried), "15 s after the other object was seen, not at {tried}");
}

#[test]
fn a_lock_that_another_process_holds_proves_nothing() {
    let ended = EndedProcesses::proven_by_lock(false, at(0.0), [(who("before"), seconds(5.0))]);
    assert_eq!(ended, EndedProcesses::default());
}

#[test]
fn expiry_comes_first_where_the_proof_comes_late() {
    let ended = EndedProcesses::proven_by_lock(true, at(20.0), [(who("before"), seconds(5.0))]);
    let lease = held("before", 1, 15);
    let (mut harness, _) = Harness::with(|config| config.ended = ended).reading(Some(lease.clone()));
    let tried = first_try(&mut harness, &lease);
    assert!((15.0..15.01).contains(&tried), "not at {tried}");
}
