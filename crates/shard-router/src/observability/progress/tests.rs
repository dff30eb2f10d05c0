use super::*;
use crate::{routing::bucket::ShardId, testing::ByHand};

const THRESHOLD: Duration = Duration::from_secs(15);
const RESOURCE: &str = "things.a.io";

fn progress(watches: usize) -> (Arc<ByHand>, Arc<Progress>) {
    let time = Arc::new(ByHand::default());
    let progress = Progress::new(time.clone(), vec![RESOURCE.to_owned(), "services".to_owned()], watches);
    (time, Arc::new(progress))
}

fn target(verb: &'static str, resource: &str, namespace: Option<&str>) -> Target {
    Target { verb, resource: resource.to_owned(), namespace: namespace.map(str::to_owned) }
}

fn refused(code: u16) -> Answer {
    Answer::Refused { code, message: "no".into(), retry_after: None }
}

#[test]
fn a_shard_whose_first_list_keeps_failing_is_not_worked_on() {
    let (time, progress) = progress(1);
    let (held, _end) = progress.track(Part::Shard(ShardId(3)));
    held.answered(&target("list", RESOURCE, None), &refused(500));
    time.advance(THRESHOLD);
    assert_eq!((progress.sentence(THRESHOLD), progress.work(THRESHOLD)), (None, WorkStatus::Unknown));
    time.advance(Duration::from_secs(1));
    let sentence = progress.sentence(THRESHOLD).unwrap();
    assert_eq!(
        sentence,
        "shard 3 is held but not worked on for 16 s now: the list of things.a.io in all namespaces keeps failing: (500) no"
    );
    assert_eq!(progress.work(THRESHOLD), WorkStatus::Stuck(sentence));
    held.answered(&target("list", RESOURCE, None), &Answer::Accepted);
    held.listed();
    assert_eq!((progress.sentence(THRESHOLD), progress.work(THRESHOLD)), (None, WorkStatus::Working));
}

/// `kubectl delete crd` under a running operator: the API server says no more than "404 page not found".
#[test]
fn a_kind_that_is_not_served_any_more_is_told_with_what_to_do() {
    let (time, progress) = progress(1);
    let (held, _end) = progress.track(Part::Shard(ShardId(0)));
    held.listed();
    held.answered(
        &target("watch", RESOURCE, None),
        &Answer::Refused { code: 404, message: String::new(), retry_after: None },
    );
    time.advance(THRESHOLD + Duration::from_secs(1));
    let sentence = progress.sentence(THRESHOLD).unwrap();
    assert!(sentence.ends_with("is their custom resource definition installed?"), "{sentence}");
}

#[test]
fn a_shard_that_only_waits_for_its_list_is_told_of_but_no_reason_to_give_shards_up() {
    let (time, progress) = progress(1);
    let _held = progress.track(Part::Shard(ShardId(0)));
    time.advance(2 * THRESHOLD);
    assert!(progress.sentence(THRESHOLD).unwrap().contains("its first list is not complete"));
    assert_eq!(progress.work(THRESHOLD), WorkStatus::Unknown);
}

#[test]
fn a_watch_that_fails_after_the_first_list_is_told_of_until_it_begins_again() {
    let (time, progress) = progress(1);
    let (held, _end) = progress.track(Part::Shard(ShardId(0)));
    held.listed();
    time.advance(10 * THRESHOLD);
    assert!(progress.stalls().is_empty());
    held.answered(&target("list", RESOURCE, None), &Answer::Failed("refused".into()));
    held.answered(&target("watch", RESOURCE, None), &refused(403));
    time.advance(THRESHOLD + Duration::from_secs(1));
    assert!(matches!(progress.work(THRESHOLD), WorkStatus::Stuck(_)));
    held.answered(&target("watch", RESOURCE, None), &Answer::Accepted);
    assert_eq!((progress.stalls(), progress.work(THRESHOLD)), (Vec::new(), WorkStatus::Working));
}

/// Of the resources or of their children: where one of them is not seen, no reconcile begins.
#[test]
fn one_namespace_of_two_is_a_part_of_the_work() {
    for resource in [RESOURCE, "services"] {
        let (time, progress) = progress(2);
        let (held, _end) = progress.track(Part::Shard(ShardId(0)));
        held.listed();
        held.answered(&target("list", RESOURCE, Some("a")), &refused(403));
        held.answered(&target("watch", RESOURCE, Some("a")), &refused(403));
        held.answered(&target("list", "services", Some("a")), &refused(403));
        held.answered(&target("create", "services", Some("b")), &refused(500));
        held.answered(&target("list", "pods", Some("b")), &refused(403));
        time.advance(2 * THRESHOLD);
        assert!(progress.sentence(THRESHOLD).unwrap().contains("only partly worked on"));
        assert_eq!(progress.work(THRESHOLD), WorkStatus::Working);
        held.answered(&target("list", resource, Some("b")), &refused(403));
        time.advance(2 * THRESHOLD);
        assert!(matches!(progress.work(THRESHOLD), WorkStatus::Stuck(_)));
    }
}

#[test]
fn what_is_known_of_a_shard_ends_with_its_hold() {
    let (time, progress) = progress(1);
    let (held, end) = progress.track(Part::Shard(ShardId(0)));
    held.answered(&target("list", RESOURCE, None), &refused(500));
    drop(end);
    held.answered(&target("list", RESOURCE, None), &refused(500));
    time.advance(2 * THRESHOLD);
    assert_eq!((progress.sentence(THRESHOLD), progress.work(THRESHOLD)), (None, WorkStatus::Unknown));
    assert!(progress.lock().is_empty());
}
