use super::*;

fn child(owner: &str, kind: &str) -> Child {
    Child { owner: owner.into(), object: kind.into() }
}

fn at(span: Duration) -> Instant {
    let start: Timestamp = "2026-01-02T03:04:05Z".parse().expect("a time");
    let wall = start + SignedDuration::try_from(span).expect("short");
    Instant { boottime: Boottime::from_origin(span), wall }
}

fn second(seconds: u64) -> Instant {
    at(Duration::from_secs(seconds))
}

impl Restorations {
    fn restored(&mut self, child: &Child, now: Instant) -> Dispute {
        self.record(
            child,
            Cause::Others,
            (now, Some(1)),
            ("Service s", DisputeState::Restored, "spec".into()),
            Vec::new(),
        )
    }
}

/// When a child is mended that somebody changes back every `period`, in milliseconds.
fn times(period: u64, until: u64) -> Vec<u64> {
    let mut restorations = Restorations::default();
    let mut times = Vec::new();
    let mut differs = false;
    let a = child("a", "Service");
    for now in 0..until {
        differs |= now % period == 0;
        let instant = at(Duration::from_millis(now));
        if differs && restorations.wait(&a, Cause::Others, instant).is_none() {
            restorations.restored(&a, instant);
            times.push(now);
            differs = false;
        }
    }
    times
}

#[test]
fn each_mending_waits_twice_as_long_up_to_a_cap() {
    let mended = times(10, 2_000_000);
    let gaps: Vec<u64> = mended.windows(2).map(|pair| (pair[1] - pair[0]) / 1000).collect();
    assert_eq!(gaps, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
}

#[test]
fn a_slow_writer_is_met_as_well_and_a_rare_one_is_answered_at_once() {
    assert!(times(3_000, 600_000).len() < 12, "{:?}", times(3_000, 600_000));
    assert_eq!(times(120_000, 600_000), [0, 120_000, 240_000, 360_000, 480_000]);
}

#[test]
fn children_and_causes_are_kept_apart_and_end_with_their_owner_or_in_time() {
    let mut restorations = Restorations::default();
    let (a, b) = (child("a", "Service"), child("b", "Service"));
    restorations.restored(&a, second(0));
    assert_eq!(restorations.wait(&a, Cause::Others, second(0)), Some(FIRST));
    assert!(restorations.wait(&a, Cause::Admission, second(0)).is_none());
    assert!(restorations.wait(&child("a", "StatefulSet"), Cause::Others, second(0)).is_none());
    assert!(restorations.wait(&b, Cause::Others, second(0)).is_none());
    restorations.forget("a");
    assert!(restorations.0.is_empty());
    restorations.restored(&a, second(0));
    restorations.restored(&b, second(90));
    assert_eq!(restorations.0.len(), 1, "what is over is dropped");
}

#[test]
fn there_is_a_most() {
    let mut restorations = Restorations::default();
    for owner in 0..MOST + 10 {
        restorations.restored(&child(&owner.to_string(), "Service"), at(Duration::from_micros(owner as u64)));
    }
    assert_eq!(restorations.0.len(), MOST);
    assert!(!restorations.0.contains_key(&(child("0", "Service"), Cause::Others)));
}

#[test]
fn what_is_restored_once_is_no_dispute_and_what_is_told_stays_until_the_pause_is_over() {
    let mut restorations = Restorations::default();
    let a = child("a", "Service");
    let said = |restorations: &Restorations, now| {
        let all = restorations.disputes(&a, now).into_iter();
        all.map(|(dispute, wait)| (dispute.state, dispute.details, dispute.times, wait)).collect::<Vec<_>>()
    };
    restorations.restored(&a, second(0));
    assert_eq!(said(&restorations, second(0)), []);
    restorations.held_back(&a, DisputeState::Differs, || "spec.ports".into());
    restorations.held_back(&a, DisputeState::Missing, String::new);
    assert_eq!(said(&restorations, second(0)), [(DisputeState::Differs, "spec.ports".into(), 1, FIRST)]);
    assert_eq!(said(&restorations, second(1)), []);
    let again = restorations.restored(&a, second(1));
    assert_eq!((again.since, again.until), (second(0).wall, second(3).wall));
    assert_eq!(said(&restorations, second(1)), [(DisputeState::Restored, "spec".into(), 2, FIRST * 2)]);
}
