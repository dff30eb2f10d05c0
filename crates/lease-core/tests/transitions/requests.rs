//! Failures of requests: how long the machine waits, and that it always goes on.

use std::time::Duration;

use lease_core::WriteKind;
use lease_core::{Effect, Event, Refusal, State};
use proptest::prelude::*;

use crate::dsl::{Harness, again, held, released, seconds, write};

#[test]
fn a_candidate_that_is_refused_waits_for_a_jittered_retry_period_or_as_told() {
    for (retry_after, roll, next) in
        [(None, 0.0, 2.0), (None, 1.0, 2.4), (Some(5.0), 0.0, 5.0), (Some(999.0), 0.0, 15.0)]
    {
        let (mut harness, effects) = Harness::that_read(Some(released(1)));
        harness.roll = roll;
        let refusal = Refusal::Rejected { retry_after: retry_after.map(seconds) };
        assert_eq!(harness.tell(Event::WriteRefused(write(&effects).attempt, refusal)), []);
        assert_eq!(harness.pass_to(next - 0.01), []);
        assert_eq!(write(&harness.pass_to(next + 0.01)).kind, WriteKind::Acquire, "{retry_after:?} {roll}");
    }
}

#[test]
fn a_first_read_that_fails_is_repeated() {
    let mut harness = Harness::new();
    assert_eq!(harness.timeout(), [Effect::Read]);
    assert_eq!(harness.tell(Event::ReadFailed { retry_after: None }), []);
    assert_eq!(harness.state(), State::Starting);
    assert_eq!(harness.pass_to(2.0), [Effect::Read]);
}

#[test]
fn a_write_that_fails_for_no_reason_to_be_seen_is_not_repeated_at_once() {
    // A webhook that says 409 whatever comes, or an API server that answers 500.
    for unknown in [false, true] {
        let (mut harness, effects) = Harness::that_read(Some(released(1)));
        let acquire = write(&effects);
        let read = if unknown { harness.lose_answer(&acquire) } else { harness.refuse(&acquire) };
        assert_eq!(read, [Effect::Read]);
        assert_eq!(harness.tell(Event::Read(Some(released(1)))), []);
        assert_eq!(write(&harness.pass_to(2.0)).kind, WriteKind::Acquire);

        let mut harness = Harness::leading();
        let renewal = harness.renewal_at(2.0);
        let known = harness.elector.lease().cloned();
        let read = if unknown { harness.lose_answer(&renewal) } else { harness.refuse(&renewal) };
        assert_eq!(read, [Effect::Read]);
        assert_eq!(harness.tell(Event::Read(known)), []);
        assert_eq!(harness.renewal_at(2.5).kind, WriteKind::Renew);
    }
}

#[test]
fn one_request_at_a_time() {
    let (mut harness, effects) = Harness::that_read(Some(released(1)));
    let acquire = write(&effects);
    for event in
        [Event::Timeout, Event::Watched(again(released(1), 2)), Event::RenewSoon, Event::Contend(true)]
    {
        assert_eq!(harness.tell(event), []);
    }
    assert_eq!(harness.land(&acquire, 3).len(), 1);
}

/// What the API server and the rest of the world do next, whatever the machine asks.
#[derive(Clone, Debug)]
enum Move {
    Answer(u8),
    Watch(u8),
    Wait(u16),
    Suspend(u16),
    Alive(bool),
    Order(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => any::<u8>().prop_map(Move::Answer),
        2 => any::<u8>().prop_map(Move::Watch),
        4 => (0..4000_u16).prop_map(Move::Wait),
        1 => (0..9000_u16).prop_map(Move::Suspend),
        1 => any::<bool>().prop_map(Move::Alive),
        1 => any::<u8>().prop_map(Move::Order),
    ];
    proptest::collection::vec(one, 1..80)
}

proptest! {
    /// `Harness::tell` asserts that the next alarm lies ahead; here every alarm that is kept also has to lead somewhere.
    #[test]
    fn an_alarm_never_lies_in_the_past_and_the_machine_never_sleeps_for_ever(moves in moves()) {
        let mut harness = Harness::new();
        let mut asked = harness.timeout();
        let mut version = 1;
        let mut working = false;
        for next in moves {
            version += 1;
            let effects = match next {
                Move::Answer(kind) => match asked.pop() {
                    Some(Effect::Read) => harness.tell(match kind % 4 {
                        0 => Event::ReadFailed { retry_after: None },
                        1 => Event::Read(None),
                        2 => Event::Read(Some(held("other", version, 5))),
                        _ => Event::Read(harness.elector.lease().cloned().map(|known| again(known, version))),
                    }),
                    Some(Effect::Write(write)) => match kind % 4 {
                        0 => harness.refuse(&write),
                        1 => harness.lose_answer(&write),
                        2 if write.kind != WriteKind::Delete => harness.land(&write, version),
                        _ => {
                            let refusal = Refusal::Rejected { retry_after: None };
                            harness.tell(Event::WriteRefused(write.attempt, refusal))
                        }
                    },
                    _ => harness.timeout(),
                },
                Move::Watch(kind) => harness.tell(Event::Watched(match kind % 3 {
                    0 => held("other", version, 5),
                    1 => released(version),
                    _ => harness.elector.lease().cloned().map_or(released(version), |known| again(known, version)),
                })),
                Move::Wait(by) => {
                    let until = harness.now().monotonic + Duration::from_millis(by.into());
                    harness.pass_until(until.since_origin())
                }
                Move::Suspend(by) => {
                    harness.suspend(f64::from(by) / 1000.0);
                    vec![]
                }
                Move::Alive(alive) => {
                    harness.work_alive = alive;
                    vec![]
                }
                Move::Order(kind) => harness.tell(match kind % 6 {
                    0 => Event::StepDown { successor: None },
                    1 => Event::Contend(kind < 128),
                    2 => Event::RenewSoon,
                    3 => Event::WatchHealthy(kind < 128),
                    4 if working => Event::WorkEnded,
                    _ => Event::Timeout,
                }),
            };
            for effect in effects {
                match effect {
                    Effect::Read | Effect::Write(_) => {
                        prop_assert!(asked.is_empty(), "a second request, {effect:?} beside {asked:?}");
                        asked.push(effect);
                    }
                    Effect::StartWork(_) => working = true,
                    _ => {}
                }
            }
            working &= harness.elector.validity().is_some();
            // With no request under way a candidate that contends has something to wait for.
            if asked.is_empty() && harness.state() == State::Standby {
                prop_assert!(harness.alarm().is_some());
            }
        }
    }
}
