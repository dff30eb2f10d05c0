//! Which process reconciled which resource when, as the processes themselves record it. The peers write the same lines as ours.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// A reconcile that ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reconciled {
    /// The process.
    pub(crate) replica: String,
    /// The resource.
    pub(crate) cr: String,
    /// The shard, or what takes the place of its number; null for the peers.
    pub(crate) shard: Value,
    /// Which generation it saw; only in the result of [`begun_in`].
    pub(crate) generation: Option<i64>,
    /// When it ended, in nanoseconds since this machine booted.
    pub(crate) boot_ns: u64,
}

#[derive(Deserialize)]
struct Line {
    record: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    replica: String,
    #[serde(default)]
    cr: String,
    #[serde(default)]
    shard: Value,
    #[serde(default)]
    generation: Option<i64>,
    #[serde(default)]
    reconcile: u64,
    #[serde(default)]
    boot_ns: u64,
}

impl Reconciled {
    /// All of them in the output of a process, among other lines.
    pub(crate) fn all_in(output: &str) -> Vec<Self> {
        lines_in(output).filter(Line::ended_well).map(|line| line.into_reconciled(None)).collect()
    }
}

/// The same, with the generation that each has seen.
pub(crate) fn begun_in(output: &str) -> Vec<Reconciled> {
    let mut begun = HashMap::new();
    let mut all = Vec::new();
    for line in lines_in(output) {
        let key = (line.replica.clone(), line.reconcile);
        if line.record == "begin" {
            begun.insert(key, line.generation);
        } else if line.ended_well() {
            let generation = begun.remove(&key).flatten();
            all.push(line.into_reconciled(generation));
        }
    }
    all
}

fn lines_in(output: &str) -> impl Iterator<Item = Line> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    // The last one may not be complete yet, and there are lines of the log.
    lines.filter_map(|line| serde_json::from_str(line).ok())
}

impl Line {
    fn ended_well(&self) -> bool {
        self.record == "end" && self.outcome == "ok"
    }

    fn into_reconciled(self, generation: Option<i64>) -> Reconciled {
        let Self { replica, cr, shard, boot_ns, .. } = self;
        Reconciled { replica, cr, shard, generation, boot_ns }
    }
}

/// The resources that each process was the last to reconcile.
pub(crate) fn by_last_process(all: &[Reconciled]) -> BTreeMap<String, BTreeSet<String>> {
    let mut last: BTreeMap<&str, &Reconciled> = BTreeMap::new();
    for one in all {
        let newest = last.entry(&one.cr).or_insert(one);
        if newest.boot_ns < one.boot_ns {
            *newest = one;
        }
    }
    let mut by_process: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (cr, one) in last {
        by_process.entry(one.replica.clone()).or_default().insert(cr.to_owned());
    }
    by_process
}

/// How long after `at` the first and the last of these resources had been reconciled by another process than this one; none as long as
/// one is missing.
pub(crate) fn wait_of(
    affected: &BTreeSet<String>,
    process: &str,
    at: u64,
    all: &[Reconciled],
) -> Option<(Duration, Duration)> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for one in all.iter().filter(|one| one.replica != process && one.boot_ns >= at) {
        if affected.contains(&one.cr) {
            let begun = first.entry(&one.cr).or_insert(one.boot_ns);
            *begun = one.boot_ns.min(*begun);
        }
    }
    if first.len() < affected.len() {
        return None;
    }
    let after = |end: &u64| Duration::from_nanos(end - at);
    Some((after(first.values().min()?), after(first.values().max()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Reconciled {
        pub(crate) fn test(replica: &str, cr: &str, boot_ns: u64) -> Self {
            Self { replica: replica.into(), cr: cr.into(), shard: Value::Null, generation: None, boot_ns }
        }
    }

    fn reconciled(replica: &str, cr: &str, boot_ns: u64) -> Reconciled {
        Reconciled::test(replica, cr, boot_ns)
    }

    #[test]
    fn only_reconciles_that_ended_well_count() {
        let output = r#"a line of the log
{"record":"begin","replica":"a_1","cr":"n/x","boot_ns":1}
{"record":"end","outcome":"ok","replica":"a_1","cr":"n/x","boot_ns":2}
{"record":"end","outcome":"error","replica":"a_1","cr":"n/y","boot_ns":3}
{"record":"end","outcome":"ok","replica":"a_1","cr""#;
        assert_eq!(Reconciled::all_in(output), [reconciled("a_1", "n/x", 2)]);
    }

    #[test]
    fn a_reconcile_has_seen_the_generation_that_it_began_with() {
        let output = r#"{"record":"begin","replica":"a_1","cr":"n/x","generation":3,"reconcile":7,"shard":2,"boot_ns":1}
{"record":"begin","replica":"a_1","cr":"n/y","generation":9,"reconcile":8,"shard":2,"boot_ns":2}
{"record":"end","outcome":"ok","replica":"a_1","cr":"n/x","reconcile":7,"shard":2,"boot_ns":3}"#;
        let expected = Reconciled { shard: 2.into(), generation: Some(3), ..reconciled("a_1", "n/x", 3) };
        assert_eq!(begun_in(output), [expected]);
    }

    #[test]
    fn a_resource_belongs_to_whoever_reconciled_it_last() {
        let all = [reconciled("a", "x", 5), reconciled("b", "x", 3), reconciled("b", "y", 4)];
        let by_process = by_last_process(&all);
        assert_eq!((by_process["a"].len(), by_process["b"].len()), (1, 1));
        assert!(by_process["a"].contains("x"));
    }

    #[test]
    fn the_wait_lasts_until_another_process_has_reconciled_the_last_one() {
        let affected = BTreeSet::from(["x".to_owned(), "y".to_owned()]);
        let mut all = vec![reconciled("b", "x", 90), reconciled("b", "x", 130), reconciled("a", "y", 140)];
        assert_eq!(wait_of(&affected, "a", 100, &all), None);
        all.push(reconciled("b", "y", 170));
        all.push(reconciled("b", "y", 190));
        let nanos = Duration::from_nanos;
        assert_eq!(wait_of(&affected, "a", 100, &all), Some((nanos(30), nanos(70))));
    }
}
