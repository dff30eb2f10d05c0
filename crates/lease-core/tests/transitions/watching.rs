//! What the watch shows, when it is trusted, and when the machine looks for itself.

use lease_core::{Effect, Event, State};

use crate::dsl::{Harness, anew, held, released, write};

#[test]
fn a_live_watch_makes_polling_needless() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    for round in 1..30_u32 {
        harness.at(2.0 * f64::from(round));
        assert_eq!(harness.tell(Event::Watched(held("other", 1 + u64::from(round), 15))), []);
    }
}

#[test]
fn a_silent_watch_is_checked_every_other_retry_period() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    assert_eq!(harness.alarm(), Some(4.0));
    assert_eq!(harness.pass_to(4.0), [Effect::Read]);
    harness.roll = 1.0;
    harness.at(4.1).tell(Event::Read(Some(held("other", 1, 15))));
    assert!((harness.alarm().expect("it polls") - 8.9).abs() < 1e-6, "jittered by a fifth");
}

#[test]
fn an_unhealthy_watch_is_polled_beside_every_retry_period() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    harness.at(1.0).tell(Event::WatchHealthy(false));
    assert_eq!(harness.alarm(), Some(3.0));
    assert_eq!(harness.pass_to(3.0), [Effect::Read]);
    harness.tell(Event::Read(Some(held("other", 2, 15))));
    assert_eq!(harness.alarm(), Some(5.0));
}

#[test]
fn being_told_again_that_the_watch_is_unhealthy_does_not_put_the_poll_off() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    for at in [1.0, 2.0, 2.9] {
        harness.at(at).tell(Event::WatchHealthy(false));
    }
    assert_eq!(harness.pass_to(3.0), [Effect::Read]);
}

#[test]
fn old_news_is_ignored() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 5, 15)));
    for old in [released(3), released(5), anew(held("me", 4, 15), 4)] {
        assert_eq!(harness.tell(Event::Watched(old)), []);
        assert_eq!(harness.elector.lease(), Some(&held("other", 5, 15)));
    }
    let mut harness = Harness::leading();
    assert_eq!(harness.tell(Event::Watched(held("other", 1, 15))), []);
    assert!(harness.is_valid());
}

#[test]
fn old_news_still_counts_for_lease_transitions() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 5, 15)));
    let mut old = held("other", 3, 15);
    old.record.transitions = 40;
    harness.tell(Event::Watched(old));
    let acquire = write(&harness.tell(Event::Watched(released(9))));
    assert_eq!(acquire.record.transitions, 41);
}

#[test]
fn an_absence_that_a_watch_has_overtaken_is_looked_into_again() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    let uid = held("other", 1, 15).revision.uid;
    assert_eq!(harness.tell(Event::Vanished(uid)), [Effect::Read]);
    harness.tell(Event::Watched(anew(held("next", 3, 15), 3)));
    assert_eq!(harness.tell(Event::Read(None)), [Effect::Read], "from before the new Lease, or after it?");
    assert_eq!(harness.tell(Event::Read(Some(anew(held("next", 3, 15), 3)))), []);
    assert_eq!(harness.state(), State::Standby);
}

#[test]
fn a_vanished_lease_is_read_by_a_standby_too() {
    let (mut harness, _) = Harness::that_read(Some(held("other", 1, 15)));
    let uid = held("other", 1, 15).revision.uid;
    assert_eq!(harness.tell(Event::Vanished(uid)), [Effect::Read]);
}
