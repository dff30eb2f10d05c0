//! Three replicas, 8 shards and 500 resources under faults: operator processes that are killed, terminated and stopped,
//! an API server that restarts, and users who edit, delete and make anew meanwhile, while every reconcile takes a seeded
//! 0.2–3 s. At the end everything has converged, and the checker has seen no resource with two owners.
//!
//! `SOAK_SEED` replays the schedule of a run: which faults when, and what the users do. `SOAK_SECONDS` and `SOAK_CRS`
//! make it longer or larger. Run one with its summary shown:
//!
//! ```text
//! SOAK_SEED=1 cargo test -p memcached-operator --features mutants --test soak -- --nocapture
//! ```

#[path = "soak/collector.rs"]
mod collector;
#[path = "soak/convergence.rs"]
mod convergence;
#[path = "soak/desired.rs"]
mod desired;
#[path = "soak/excuses.rs"]
mod excuses;
#[path = "soak/fault_schedule.rs"]
mod fault_schedule;
#[path = "soak/fleet.rs"]
mod fleet;
#[path = "soak/harness.rs"]
mod harness;
#[path = "soak/injection.rs"]
mod injection;
#[path = "soak/judgement.rs"]
mod judgement;
#[path = "soak/probe.rs"]
mod probe;
#[path = "soak/settings.rs"]
mod settings;
#[path = "soak/summary.rs"]
mod summary;
#[path = "soak/users.rs"]
mod users;

use std::time::{Duration, Instant};

use overlap_checker::records::Stamp;
use tokio::sync::Mutex;

use crate::fault_schedule::FaultSchedule;
use crate::harness::Harness;
use crate::injection::Injection;
use crate::judgement::Judgement;
use crate::settings::{Settings, say};
use crate::users::Users;

/// Both tests load the machine as far as it goes, so one waits for the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// From the end of the faults until everything is as asked for. It takes well under a minute on a machine that has nothing
/// else to do.
const CONVERGED_WITHIN: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_resource_has_two_owners_and_every_one_converges() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let settings = Settings::from_env(500, Duration::from_secs(80));
    let started = Instant::now();
    let Some(mut harness) = Harness::start(&settings, None).await else { return };
    let schedule = FaultSchedule::draw(settings.seed, settings.faults_for);
    say(&format!("{settings}\n{schedule}"));

    let mut users = Users::new(&harness, settings.seed);
    users.create(settings.crs).await;
    let mut injection = Injection::default();
    tokio::join!(
        users.keep_busy(settings.faults_for),
        injection.run(&schedule, &mut harness.fleet, &harness.cluster)
    );
    let calm = Instant::now();
    let converged = convergence::reached(&harness, &users.desired, CONVERGED_WITHIN).await;
    let converged_after = calm.elapsed();

    let until = Stamp::now().expect("the boot clock is there");
    injection.problems.extend(harness.fleet.end().await);
    let judgement = Judgement::new(&harness, &injection, &users, until);
    say(&summary::of(&judgement, &injection, &users, harness.fleet.overruns, &harness.probe.slow()));
    say(&format!("converged {converged_after:.1?} after the last fault; {:.0?} in all", started.elapsed()));
    judgement.assert_kept(&injection);
    if let Err(missing) = converged {
        panic!("{missing}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_left_out_is_reported() {
    const ROUNDS: u32 = 6;
    let _alone = ONE_AT_A_TIME.lock().await;
    // So few that a new owner begins with all of a shard at once, and each is reconciled most of the time.
    let settings = Settings { crs: 48, ..Settings::from_env(48, Duration::ZERO) };
    let Some(mut harness) = Harness::start(&settings, Some("skip-drain")).await else { return };
    say(&settings.to_string());
    let mut users = Users::new(&harness, settings.seed);
    users.create(settings.crs).await;
    let mut injection = Injection::default();
    for round in 1..=ROUNDS {
        // The replica that comes back is given shards, by replicas that go on running.
        let rebalance = FaultSchedule::terminate(round, Duration::from_secs(12));
        let during = rebalance.lasts();
        tokio::join!(
            users.keep_busy(during),
            injection.run(&rebalance, &mut harness.fleet, &harness.cluster)
        );
        let until = Stamp::now().expect("the boot clock is there");
        let judgement = Judgement::new(&harness, &injection, &users, until);
        let overlaps = judgement.verdict.of("overlap");
        if let Some(first) = overlaps.first() {
            say(&format!(
                "found in round {round}: {} overlaps, the first: {}",
                overlaps.len(),
                first.sentence
            ));
            assert!(!judgement.verdict.passed(), "overlaps were found, and the run was passed all the same");
            return;
        }
    }
    panic!("the drain was left out for {ROUNDS} rebalances, and the checker has reported no overlap");
}
