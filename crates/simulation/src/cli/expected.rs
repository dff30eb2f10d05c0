//! What each kind of fault has to hit over many schedules, lest it be a fault in name only.

use simulation::run_report::FaultTally;
use simulation::schedule::FaultKind;

/// From so many schedules on, a zero says something.
pub(super) const ENOUGH: usize = 40;

/// Among seeds that nobody has tried before, a kind that happened fewer times may have hit nothing by chance: one in ten is the rarest
/// hit that is expected below.
const ENOUGH_TIMES: u64 = 30;

/// The columns that must not be zero.
#[derive(Clone, Copy)]
struct Hits {
    messages: bool,
    reconciles: bool,
    lease_writes: bool,
}

/// What is wrong with what the faults hit, one sentence each. A kind that is missing never happened. What the fixed schedules hit is the same
/// each time, so they have to hit everything.
pub(super) fn shortfalls<'a>(tally: impl Fn(&str) -> Option<&'a FaultTally>, fixed: bool) -> Vec<String> {
    let mut sentences = Vec::new();
    for kind in FaultKind::NAMES {
        let Some(tally) = tally(kind).filter(|tally| tally.happened > 0) else {
            sentences.push(format!("{kind} never happened"));
            continue;
        };
        if !fixed && tally.happened < ENOUGH_TIMES {
            continue;
        }
        let hits = hits(kind);
        // Whoever waits for these waits for ever, unless it has a limit of its own.
        let silences = kind == "dead-connections";
        let columns = [
            (hits.messages, tally.messages, "touched no message"),
            (hits.reconciles, tally.reconciles_hit, "hit no running reconcile"),
            (hits.lease_writes, tally.lease_writes_hit, "hit no Lease write"),
            (silences, tally.watches_hit, "silenced no watch"),
            (silences, tally.first_lists_hit, "hit no first list"),
        ];
        for (_, _, what) in columns.into_iter().filter(|(matters, count, _)| *matters && *count == 0) {
            sentences.push(format!("{kind} happened {} times and {what}", tally.happened));
        }
    }
    sentences
}

/// Nearly every kind has to hit running reconciles. What lies in the network or at the API server has to touch messages, and those
/// that lose, delay or refuse requests at random have to meet with Lease writes.
fn hits(kind: &str) -> Hits {
    let hits = |messages, lease_writes| Hits { messages, reconciles: true, lease_writes };
    match kind {
        // Clocks, users and history touch no message, nor does an operator that does not shard, beside the replicas. Another number of
        // shards begins as a crash does; there are a tenth as many, so that none may come upon a Lease write, as one crash in ten does.
        // Each change of a child stands for a look of a reconcile; nothing is lost, delayed or refused.
        "wall-jump" | "compact" | "hand-delete" | "hand-blank-holder" | "hand-label"
        | "hand-short-record" | "label-strip" | "label-forge" | "unsharded" | "unsharded-anew"
        | "other-shards" | "shards-changed" | "child-edited" | "child-disputed" | "child-remade"
        | "child-foreign" => hits(false, false),
        // Where nothing that can be followed is said, nothing changes.
        "shards-deleted" | "shards-invalid" => Hits { reconciles: false, ..hits(false, false) },
        // A tenant is alone with his resource.
        "odd-bucket-label" | "odd-spec" | "odd-finalizer" | "odd-bulk" | "odd-undecodable" => {
            Hits { reconciles: false, ..hits(false, false) }
        }
        // Lists are no part of a reconcile, and no writes. A watch is torn in no time, so whether a reconcile runs on that replica just then is
        // chance: one in twenty-five is usual.
        "list-forbidden" | "list-fails" | "tear-watches" => Hits { reconciles: false, ..hits(true, false) },
        // Watches carry no writes; and the policy refuses whoever tries to strip a finalizer.
        "strip-finalizer" | "hang-watches" | "lag-watches" => hits(true, false),
        // Whoever is stopped may have a Lease write under way; its messages are untouched.
        "pause" | "suspend" | "crash" | "restart" | "terminate" => hits(false, true),
        _ => hits(true, true),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Every kind happened, and hit whatever there is to hit.
    fn every_kind() -> BTreeMap<&'static str, FaultTally> {
        let tally = FaultTally {
            happened: 2,
            messages: 1,
            reconciles_hit: 1,
            lease_writes_hit: 1,
            watches_hit: 1,
            first_lists_hit: 1,
        };
        FaultKind::NAMES.into_iter().map(|kind| (kind, tally)).collect()
    }

    #[test]
    fn what_hits_everything_is_enough() {
        let tally = every_kind();
        assert_eq!(shortfalls(|kind| tally.get(kind), true), Vec::<String>::new());
    }

    #[test]
    fn what_never_happened_or_hit_nothing_is_named() {
        let mut tally = every_kind();
        tally.remove("pause");
        tally.insert("slow", FaultTally { happened: 4, ..FaultTally::default() });
        tally.insert("wall-jump", FaultTally { happened: 3, reconciles_hit: 1, ..FaultTally::default() });
        let expected = [
            "pause never happened",
            "slow happened 4 times and touched no message",
            "slow happened 4 times and hit no running reconcile",
            "slow happened 4 times and hit no Lease write",
        ];
        assert_eq!(shortfalls(|kind| tally.get(kind), true), expected);
    }

    #[test]
    fn a_few_misses_of_new_seeds_are_chance_and_many_are_not() {
        let mut tally = every_kind();
        let misses = |happened| FaultTally { happened, ..FaultTally::default() };
        tally.insert("hand-label", misses(ENOUGH_TIMES - 1));
        assert_eq!(shortfalls(|kind| tally.get(kind), false), Vec::<String>::new());
        tally.insert("hand-label", misses(ENOUGH_TIMES));
        assert_eq!(
            shortfalls(|kind| tally.get(kind), false),
            ["hand-label happened 30 times and hit no running reconcile"]
        );
    }
}
