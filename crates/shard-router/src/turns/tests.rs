use std::{pin::Pin, task::Poll};

use futures::{FutureExt, future::BoxFuture, poll};

use super::*;

/// Somebody who waits for a turn.
type Waits = Pin<Box<dyn Future<Output = Option<Turn>> + Send>>;

/// Begins to wait.
fn waits(lane: &Arc<Lane>, resource: &str) -> Waits {
    let (lane, resource) = (lane.clone(), resource.to_owned());
    let mut waits: BoxFuture<'static, _> = async move { lane.turn(&resource).await }.boxed();
    assert!((&mut waits).now_or_never().is_none(), "nobody is free");
    waits
}

fn runs(lane: &Arc<Lane>, resource: &str) -> Turn {
    lane.turn(resource).now_or_never().flatten().expect("somebody is free")
}

/// Ends one reconcile after the other. The order in which the others get their turns, by position.
async fn order(running: Turn, mut waiting: Vec<Waits>) -> Vec<usize> {
    let (mut order, mut running) = (Vec::new(), Some(running));
    while order.len() < waiting.len() {
        drop(running.take());
        for (position, waits) in waiting.iter_mut().enumerate() {
            if !order.contains(&position)
                && let Poll::Ready(turn) = poll!(waits.as_mut())
            {
                assert!(running.is_none(), "two at once");
                running = turn;
                order.push(position);
            }
        }
        assert!(running.is_some(), "nobody has got the turn: {order:?}");
    }
    order
}

#[tokio::test]
async fn a_change_goes_before_what_was_only_listed() {
    let lane = Turns::new(1).lane(8);
    let running = runs(&lane, "running");
    let mut waiting: Vec<_> = (0..3).map(|number| waits(&lane, &format!("listed-{number}"))).collect();
    lane.changed("edited");
    waiting.push(waits(&lane, "edited"));
    // It waits already.
    lane.changed("listed-2");
    assert_eq!(order(running, waiting).await, [2, 3, 0, 1]);
}

#[tokio::test]
async fn a_mark_counts_for_one_turn_and_is_dropped_with_the_resource() {
    let lane = Turns::new(1).lane(8);
    lane.changed("a");
    let running = runs(&lane, "a");
    assert!(running.is_for_change);
    lane.changed("gone");
    lane.forget("gone");
    let waiting = vec![waits(&lane, "b"), waits(&lane, "a"), waits(&lane, "gone")];
    assert_eq!(order(running, waiting).await, [0, 1, 2]);
}

#[tokio::test]
async fn neither_class_starves() {
    let lane = Turns::new(1).lane(8);
    let running = runs(&lane, "running");
    let mut waiting: Vec<_> = (0..2).map(|number| waits(&lane, &format!("listed-{number}"))).collect();
    for number in 0..10 {
        let name = format!("edited-{number}");
        lane.changed(&name);
        waiting.push(waits(&lane, &name));
    }
    assert_eq!(order(running, waiting).await, [2, 3, 4, 5, 0, 6, 7, 8, 9, 1, 10, 11]);
}

#[tokio::test]
async fn lanes_take_turns_and_a_change_goes_first_in_whichever_it_is() {
    let turns = Turns::new(1);
    let lanes = [turns.lane(8), turns.lane(8)];
    let running = runs(&lanes[0], "running");
    let mut waiting: Vec<_> = (0..3).map(|number| waits(&lanes[0], &format!("many-{number}"))).collect();
    waiting.push(waits(&lanes[1], "one"));
    waiting.push(waits(&lanes[1], "two"));
    lanes[0].changed("edited");
    waiting.push(waits(&lanes[0], "edited"));
    assert_eq!(order(running, waiting).await, [5, 3, 0, 4, 1, 2]);
}

#[tokio::test]
async fn a_lane_has_a_limit_of_its_own() {
    let turns = Turns::new(8);
    let (lane, other) = (turns.lane(1), turns.lane(1));
    let running = runs(&lane, "running");
    let mut waiting = waits(&lane, "waits");
    let _other = runs(&other, "another lane");
    drop(running);
    assert!(poll!(waiting.as_mut()).is_ready());
}

#[tokio::test]
async fn who_gives_up_holds_up_nobody_and_a_lane_that_ends_leaves_nothing() {
    let turns = Turns::new(1);
    let lane = turns.lane(1);
    let running = runs(&lane, "running");
    drop(waits(&lane, "gives up"));
    let mut next = waits(&lane, "next");
    drop(running);
    let turn = match poll!(next.as_mut()) {
        Poll::Ready(turn) => turn.expect("a turn"),
        Poll::Pending => panic!("it waits for one that gave up"),
    };
    // A turn that was granted and never taken comes back.
    let (untaken, mut last) = (waits(&lane, "untaken"), waits(&lane, "last"));
    drop(turn);
    drop(untaken);
    assert!(poll!(last.as_mut()).is_ready());
    drop((next, last, lane));
    let state = turns.state.lock();
    assert!(state.running == 0 && state.lanes.is_empty());
}
