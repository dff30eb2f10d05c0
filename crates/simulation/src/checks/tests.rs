//! The checkers together.

use super::run_builder::{RunBuilder, passes};
use crate::schedule::{FaultKind, Slot};

#[test]
fn a_long_quiet_story_passes() {
    let mut run = RunBuilder::settled();
    run.runs("a", 0, 0).ends(600_000).holds("a", 0, 20_000, 600_000);
    let judged = passes(&run).judged;
    assert!(judged["renewals"] > 200 && judged["one-holder"] > 200, "{judged:?}");
}

/// As large as schedules are: the shard passes between two replicas every few seconds, and each does its share.
#[test]
fn a_story_of_full_size_is_judged_whole() {
    let mut run = RunBuilder::settled();
    run.runs("a", 0, 0).runs("b", 1, 0).ends(700_000);
    let (mut now, mut holds) = (10_000, 0);
    while now < 690_000 {
        let name = ["a", "b"][holds % 2];
        run.holds(name, 0, now, now + 2_500);
        for nth in 0..20 {
            let from = now + 100 + nth * 100;
            let cr = format!("m-{}", nth % 7);
            run.reconciled(name, 0, &cr, from, from + 50);
            for child in ["services", "pods", "endpoints", "configmaps"] {
                let uri = format!("/api/v1/namespaces/default/{child}/{cr}");
                run.request(name, "PATCH", &uri, from + 20, 200);
            }
        }
        run.released(name, 0, now + 2_600);
        // A clock that is set keeps nobody from anything. Without any fault, no shard would have to change hands.
        run.fault(FaultKind::WallJump { slot: Slot(2), by_ms: 1 }, now, now);
        (now, holds) = (now + 2_700, holds + 1);
    }
    run.holds("a", 0, now, 700_000);
    run.observations.records.sort_by_key(|record| record.boot);
    let judgement = passes(&run);
    assert!(run.observations.records.len() > 10_000 && judgement.judged["overlap"] > 5_000, "{judgement:?}");
    assert_eq!(judgement.judged["unowned"], judgement.judged["holds"]);
    assert!(judgement.judged["writes"] > 5_000, "{judgement:?}");
}
