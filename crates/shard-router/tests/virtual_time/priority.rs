//! What has changed is reconciled before what was only listed, changes fold, and failures are retried as the user says.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
    runtime::predicates,
};
use lease_core::Monotonic;
use serde_json::json;
use shard_router::{Action, Held, ShardKey, ShardedApp};

use crate::{
    harness::{Harness, NAMESPACE, Replica},
    widget::{LABEL, Widget, create},
};

/// Which size of which widget was reconciled, in the order in which that began.
type Log = Arc<Mutex<Vec<(String, i32)>>>;

async fn edit(harness: &Harness, name: &str, size: i32) {
    let patch = Patch::Merge(json!({"spec": {"size": size}}));
    harness.widgets.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

/// A replica without a resync, whose reconciles take this long.
fn start(
    harness: &Harness,
    log: &Log,
    work: Duration,
    at_once: usize,
    declare: impl FnOnce(shard_router::Controller<'_, Widget>) -> shard_router::Controller<'_, Widget>,
) -> Replica {
    let mut options = harness.options("op-0", 1).with_concurrency_per_shard(at_once);
    options.resync = None;
    let (network, mut app): (_, ShardedApp) = harness.app(options);
    let (log, clock) = (log.clone(), harness.clock.clone());
    declare(app.controller::<Widget>()).run(move |widget: Arc<Widget>, _: Held| {
        log.lock().unwrap().push((widget.name_any(), widget.spec.size));
        let work = clock.sleep(work);
        async move {
            work.await;
            Ok::<_, std::io::Error>(Action::await_change())
        }
    });
    Harness::spawn(network, app)
}

/// Makes so many, with their labels, so that the first list contains all of them.
async fn create_labelled(harness: &Harness, widgets: usize) {
    for number in 0..widgets {
        let name = format!("widget-{number}");
        let mut meta = kube::core::ObjectMeta { name: Some(name.clone()), ..Default::default() };
        meta.namespace = Some(NAMESPACE.to_owned());
        let bucket = ShardKey::of(&meta, None).bucket().to_string();
        create(&harness.widgets, &name, &[(LABEL, &bucket)]).await;
    }
}

/// An edit from the time when nobody held the shard comes with the first list of its next owner, among all that has not changed.
#[tokio::test(start_paused = true)]
async fn what_nobody_has_observed_is_reconciled_before_the_rest_of_a_takeover() {
    // A list is no burst: nothing of it is held back.
    for debounce in [Duration::ZERO, Duration::from_secs(5)] {
        unobserved_go_first(debounce).await;
    }
}

async fn unobserved_go_first(debounce: Duration) {
    const WIDGETS: usize = 300;
    const AT_ONCE: usize = 2;
    let harness = Harness::new().await;
    create_labelled(&harness, WIDGETS).await;
    for number in 0..WIDGETS {
        let observed = Patch::Merge(json!({"status": {"observedGeneration": 1}}));
        let name = format!("widget-{number}");
        harness.widgets.patch_status(&name, &PatchParams::default(), &observed).await.unwrap();
    }
    let edited = ["widget-11", "widget-150", "widget-299"];
    for name in edited {
        edit(&harness, name, 7).await;
    }
    let log = Log::default();
    let _replica =
        start(&harness, &log, Duration::from_secs(1), AT_ONCE, |widgets| widgets.debounce(debounce));
    let all = || std::future::ready(log.lock().unwrap().len() >= WIDGETS);
    harness.until("all to be reconciled", all).await;
    let log = log.lock().unwrap();
    let last = log.iter().rposition(|(_, size)| *size == 7).unwrap();
    assert!(
        last < AT_ONCE + edited.len(),
        "{last} reconciles began before the last edit: {:?}",
        &log[..=last]
    );
    assert_eq!(log.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), WIDGETS);
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_reconciled_before_what_a_takeover_brings() {
    const WIDGETS: usize = 1000;
    const AT_ONCE: usize = 2;
    let harness = Harness::new().await;
    create_labelled(&harness, WIDGETS).await;
    let log = Log::default();
    let _replica = start(&harness, &log, Duration::from_secs(1), AT_ONCE, |widgets| widgets);
    let count = || log.lock().unwrap().len();
    harness.until("some to be reconciled", || async { count() >= 50 }).await;
    let begun: Vec<_> = log.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
    let waiting: Vec<_> = (0..WIDGETS).map(|number| format!("widget-{number}")).collect();
    let waiting: Vec<_> = waiting.into_iter().filter(|name| !begun.contains(name)).take(3).collect();
    let before = count();
    for name in &waiting {
        edit(&harness, name, 7).await;
    }
    let position = |name: &String| log.lock().unwrap().iter().position(|(of, size)| of == name && *size == 7);
    let done = || std::future::ready(waiting.iter().all(|name| position(name).is_some()));
    harness.until("the edits to be reconciled", done).await;
    let last = waiting.iter().filter_map(position).max().unwrap();
    let (between, left) = (last - before, WIDGETS - count());
    // Those that ran meanwhile, and the edits themselves.
    assert!(between <= 2 * AT_ONCE + waiting.len(), "{between} reconciles began before the last edit");
    assert!(left > 900, "only {left} were left to wait");
    // And nobody is forgotten.
    harness
        .until("all to be reconciled", || async {
            let log = log.lock().unwrap();
            log.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() == WIDGETS
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_folded_into_one_reconcile_and_no_burst_delays_it_for_ever() {
    const DELAY: Duration = Duration::from_secs(2);
    let harness = Harness::new().await;
    create(&harness.widgets, "w", &[]).await;
    let log = Log::default();
    let _replica = start(&harness, &log, Duration::ZERO, 8, |widgets| widgets.debounce(DELAY));
    let count = || log.lock().unwrap().len();
    harness.until("the widget to be reconciled", || async { count() > 0 }).await;
    harness.clock.sleep(Duration::from_secs(30)).await;
    let before = count();
    for size in 1..=5 {
        edit(&harness, "w", size).await;
        harness.clock.sleep(DELAY / 10).await;
    }
    assert_eq!(count(), before, "it is held back");
    harness.clock.sleep(2 * DELAY).await;
    assert_eq!(log.lock().unwrap()[before..], [("w".to_owned(), 5)]);

    let before = count();
    for size in 10..50 {
        edit(&harness, "w", size).await;
        harness.clock.sleep(DELAY / 4).await;
    }
    let meanwhile = count() - before;
    assert!((6..=10).contains(&meanwhile), "{meanwhile} reconciles in ten times the delay");
}

/// A status write of one's own is a change like any other. A predicate tells it from those that matter.
#[tokio::test(start_paused = true)]
async fn a_status_write_of_ones_own_is_no_news_with_a_predicate() {
    for with_predicate in [true, false] {
        let harness = Harness::new().await;
        create(&harness.widgets, "w", &[]).await;
        let mut options = harness.options("op-0", 1);
        options.resync = None;
        let (network, mut app) = harness.app(options);
        let counts = Arc::new(Mutex::new((0, 0)));
        let counted = counts.clone();
        let widgets = app.controller::<Widget>();
        let widgets = if with_predicate { widgets.predicate(predicates::generation) } else { widgets };
        widgets.run(move |widget: Arc<Widget>, held: Held| {
            let counts = counted.clone();
            async move {
                let after = held.patch_status(&*widget, json!({"bucket": held.bucket()})).await?;
                let mut counts = counts.lock().unwrap();
                counts.0 += 1;
                counts.1 += i32::from(after.resource_version() != widget.resource_version());
                Ok::<_, kube::Error>(Action::await_change())
            }
        });
        let _replica = Harness::spawn(network, app);
        harness.until("the widget to be reconciled", || async { counts.lock().unwrap().0 > 0 }).await;
        harness.clock.sleep(Duration::from_secs(30)).await;
        // Without one, it is reconciled once more, which finds nothing to write.
        let reconciles = if with_predicate { 1 } else { 2 };
        assert_eq!(*counts.lock().unwrap(), (reconciles, 1), "with a predicate: {with_predicate}");
    }
}

#[derive(Debug, thiserror::Error)]
#[error("number {0}")]
struct Broken(u32);

#[tokio::test(start_paused = true)]
async fn failures_are_retried_as_the_error_policy_says() {
    let harness = Harness::new().await;
    create(&harness.widgets, "w", &[]).await;
    let (network, mut app) = harness.app(harness.options("op-0", 1));
    let (begun, clock) = (Arc::new(Mutex::new(Vec::<Monotonic>::new())), harness.clock.clone());
    let noted = begun.clone();
    let policy = |widget: &Widget, error: &(dyn std::error::Error + 'static), failures: u32| {
        assert_eq!(widget.name_any(), "w");
        match error.downcast_ref::<Broken>() {
            Some(Broken(number)) => {
                Action::requeue(Duration::from_secs(u64::from(10 * number.min(&failures))))
            }
            // A panic.
            None => Action::requeue(Duration::from_secs(100)),
        }
    };
    app.controller::<Widget>().error_policy(policy).run(move |_: Arc<Widget>, _: Held| {
        let mut begun = noted.lock().unwrap();
        begun.push(clock.now().monotonic);
        let number = u32::try_from(begun.len()).unwrap();
        async move {
            assert_ne!(number, 3, "a mistake of the user");
            if number < 5 { Err(Broken(number)) } else { Ok(Action::await_change()) }
        }
    });
    let _replica = Harness::spawn(network, app);
    harness.until("five reconciles", || async { begun.lock().unwrap().len() == 5 }).await;
    let begun = begun.lock().unwrap();
    let pauses: Vec<_> = begun.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
    assert_eq!(pauses, [10, 20, 100, 40]);
}
