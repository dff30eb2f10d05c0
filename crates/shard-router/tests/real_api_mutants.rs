//! Faults switched on one at a time, for the whole process, to prove that the scenarios on a real API server see them.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

#[path = "real_api/fleet.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod fleet;
#[path = "real_api/late_write.rs"]
mod late_write;
#[path = "real_api/relabel.rs"]
mod relabel;
#[path = "real_api/scenarios.rs"]
mod scenarios;
#[path = "real_api/tenant.rs"]
#[expect(dead_code, reason = "as above")]
mod tenant;
#[path = "real_api/widget.rs"]
mod widget;

use fleet::Fleet;
use tokio::sync::Mutex;

/// One mutant at a time.
static TURN: Mutex<()> = Mutex::const_new(());

/// Runs a scenario with a mutant, of this crate or of lease-core, which must be found out, by a sentence that contains `sign`.
macro_rules! found_out {
    ($name:ident, $mutant:ident, $scenario:path, $sign:literal) => {
        found_out!($name, shard_router::$mutant, $scenario, $sign);
    };
    ($name:ident, $of:ident::$mutant:ident, $scenario:path, $sign:literal) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let _turn = TURN.lock().await;
            let Some(fleet) = Fleet::new("the scenario needs one").await else { return };
            $of::mutants::activate(Some($of::mutants::Mutant::$mutant));
            let found = $scenario(&fleet).await;
            $of::mutants::activate(None);
            println!("{} violations, such as {:?}", found.len(), found.first());
            assert!(found.iter().any(|what| what.contains($sign)), "not found out: {found:?}");
        }
    };
}

found_out!(a_release_without_a_drain, SkipDrain, scenarios::handover, "by two replicas at once");
found_out!(a_start_before_the_barrier, NoBarrier, scenarios::handover, "before the takeover barrier");
found_out!(a_stamp_from_the_key_as_it_reads_now, StampFromKeyAgain, scenarios::restamp, "came back as");
found_out!(a_key_that_is_not_recorded, KeyNeedsNoRecord, scenarios::restamp, "came back as");
found_out!(a_gate_that_stands_open, lease_core::OpenGate, scenarios::kept_client, "outlived its hold");
found_out!(a_replica_that_ignores_the_layout, IgnoreLayout, scenarios::other_key_label, "another layout");
found_out!(a_panic_that_is_let_through, LetPanicsThrough, scenarios::panics, "a panic took");
found_out!(
    a_name_that_is_freed_too_early,
    NoOwnerFinalizer,
    scenarios::namesakes,
    "two replicas reconciled one name"
);
found_out!(a_label_that_decides_alone, LabelDecides, relabel::relabel, "which is not its own");
found_out!(a_deletion_that_is_believed, DeletedIsCleanUp, relabel::relabel, "its child was deleted");
found_out!(
    a_list_that_one_object_stops,
    OneBadObjectStopsTheList,
    tenant::others_go_on,
    "kept others from being reconciled"
);
