use lease_core::Problem;

use super::*;
use crate::testing::LEASE_DURATION;

const WORK: Option<Verdict> = Some(Verdict::Work);

fn healthy() -> Health {
    Health {
        problems: Vec::new(),
        silent_for: Duration::ZERO,
        unanswered: None,
        watch_is_live: true,
        rewinds: 0,
    }
}

/// Whether a replica is ready about which nothing is to be said but this.
fn why(verdict: Option<&Verdict>, health: &Health, more: impl FnOnce(&mut Facts<'_>)) -> Option<String> {
    let mut facts = Facts {
        verdict,
        has_worked: false,
        coordination_problem: None,
        health,
        lease_duration: LEASE_DURATION,
        problem: None,
        unable: None,
    };
    more(&mut facts);
    why_not_ready(&facts)
}

#[test]
fn a_replica_that_may_work_or_waits_its_turn_is_ready() {
    for verdict in [Verdict::Work, Verdict::Wait] {
        assert_eq!(why(Some(&verdict), &healthy(), |_| ()), None);
    }
}

#[test]
fn one_that_refuses_is_not_and_says_why() {
    let refuses = Verdict::Refuse("other shards".to_owned());
    assert_eq!(why(Some(&refuses), &healthy(), |_| ()).as_deref(), Some("other shards"));
}

/// A rolling update from an operator that does not shard would not get on else.
#[test]
fn one_that_waits_for_a_predecessor_is_ready_unless_its_work_was_taken_away() {
    let reason = || "a predecessor".to_owned();
    for waits in [Verdict::Yield(reason()), Verdict::Replace(reason())] {
        assert_eq!(why(Some(&waits), &healthy(), |_| ()), None);
        assert_eq!(
            why(Some(&waits), &healthy(), |facts| facts.has_worked = true).as_deref(),
            Some("a predecessor")
        );
    }
}

#[test]
fn a_layout_that_cannot_be_committed_counts_while_it_is_waited_for() {
    let contradicts =
        |facts: &mut Facts<'_>| facts.coordination_problem = Some("they contradict each other".to_owned());
    assert_eq!(
        why(Some(&Verdict::Wait), &healthy(), contradicts).as_deref(),
        Some("they contradict each other")
    );
    assert_eq!(why(WORK.as_ref(), &healthy(), contradicts), None, "somebody else has committed it");
}

#[test]
fn what_the_api_server_refuses_about_leases_is_told_also_before_they_are_listed() {
    let problem = Problem { sentence: "may not list leases".to_owned() };
    let health = Health { problems: vec![problem], ..healthy() };
    for verdict in [None, WORK, Some(Verdict::Wait)] {
        assert_eq!(why(verdict.as_ref(), &health, |_| ()).as_deref(), Some("may not list leases"));
    }
}

#[test]
fn one_that_does_not_know_the_leases_is_not_ready() {
    let health = Health { unanswered: Some("timed out".to_owned()), ..healthy() };
    let sentence = why(None, &health, |_| ()).expect("not ready");
    assert!(sentence.starts_with("the Leases have not been listed yet (timed out);"), "{sentence}");
}

#[test]
fn one_that_hears_nothing_for_longer_than_lease_duration_is_not_ready() {
    let silent = |silent_for| Health { silent_for, ..healthy() };
    assert_eq!(why(WORK.as_ref(), &silent(LEASE_DURATION), |_| ()), None);
    let longer = LEASE_DURATION + Duration::from_millis(1);
    let sentence = why(WORK.as_ref(), &silent(longer), |_| ()).expect("not ready");
    assert!(sentence.contains("for longer than LeaseDuration (15 s);"), "{sentence}");
}

#[test]
fn what_keeps_it_from_working_on_its_shards_comes_before_that_it_leaves_them_to_others() {
    let both = |facts: &mut Facts<'_>| {
        facts.problem = Some("may not list widgets".to_owned());
        facts.unable = Some("shard 1 keeps failing");
    };
    assert_eq!(why(WORK.as_ref(), &healthy(), both).as_deref(), Some("may not list widgets"));
    let sentence = why(WORK.as_ref(), &healthy(), |facts| facts.unable = Some("shard 1 keeps failing"));
    assert!(sentence.is_some_and(|sentence| sentence.ends_with("; shard 1 keeps failing")));
}
