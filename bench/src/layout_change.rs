//! `bench layout-change`: what a change of the number of shards costs resources that are edited meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use overlap_checker::records::BootTime;
use serde::Serialize;

use crate::edits::{self, Edit};
use crate::harness::{Harness, Limits, Progressed};
use crate::progress::Until;
use crate::reconciles::Reconciled;
use crate::subject::Subject;

/// For how long resources are edited before the first change.
const BEFORE: Duration = Duration::from_secs(30);

/// Before the first change, and each change in turn.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LayoutChanges {
    pub(crate) subject: Subject,
    pub(crate) resources: u32,
    pub(crate) edits_per_second: u32,
    /// How long edits waited while the number of shards stayed, in seconds.
    pub(crate) undisturbed: Vec<f64>,
    pub(crate) changes: Vec<Change>,
}

/// One change of the number of shards.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Change {
    pub(crate) from: u16,
    pub(crate) to: u16,
    /// From the moment at which it was asked for until it was committed, and from there until it was settled.
    pub(crate) commit_seconds: f64,
    pub(crate) settle_seconds: f64,
    /// How long those edits waited that were made from the commit until it was settled, in seconds.
    pub(crate) edits: Vec<f64>,
    /// For each resource that went to another shard: from the commit until its new owner had reconciled it, in seconds.
    pub(crate) moved: Vec<f64>,
}

/// Changes the number of shards from `counts[0]` to each of the others.
pub(crate) async fn measure(
    subject: Subject,
    program: &Path,
    (resources, edits_per_second): (u32, u32),
    counts: &[u16],
    limits: Limits,
) -> Result<LayoutChanges> {
    let mut harness = Harness::start_resizable(subject, program, limits).await?;
    harness.servers_get_ready();
    let made = harness.create(resources).await?;
    harness.reach(&made, Until::Ready).await?;
    harness.quiet().await?;
    let names: Vec<_> = made.generations.into_iter().map(|(name, _)| name).collect();
    let editor = harness.edit_steadily(names, edits_per_second);
    let begun = BootTime::now();
    tokio::time::sleep(BEFORE).await;
    let until = BootTime::now();
    let mut progressed = Vec::new();
    for change in counts.windows(2) {
        let &[from, to] = change else { continue };
        eprintln!("  from {from} to {to} shards …");
        progressed.push((from, to, harness.resize(to).await?));
        // Until whoever gained buckets has caught up, so that changes are measured apart.
        tokio::time::sleep(BEFORE / 3).await;
    }
    let edits = editor.end().await?;
    let all = harness.acted_on(&edits).await?;
    let undisturbed = waits_between(&edits, &all, begun, until);
    let changes =
        progressed.into_iter().map(|(from, to, when)| change(from, to, &when, &edits, &all)).collect();
    harness.stop().await?;
    Ok(LayoutChanges { subject, resources, edits_per_second, undisturbed, changes })
}

fn change(from: u16, to: u16, when: &Progressed, edits: &[Edit], all: &[Reconciled]) -> Change {
    Change {
        from,
        to,
        commit_seconds: when.committed.since(when.asked).as_secs_f64(),
        settle_seconds: when.settled.since(when.committed).as_secs_f64(),
        edits: waits_between(edits, all, when.committed, when.settled),
        moved: moved(when, all),
    }
}

fn waits_between(edits: &[Edit], all: &[Reconciled], from: BootTime, until: BootTime) -> Vec<f64> {
    let made: Vec<_> = edits.iter().filter(|edit| edit.at >= from && edit.at < until).cloned().collect();
    edits::waits(&made, all).into_iter().flatten().map(|wait| wait.as_secs_f64()).collect()
}

/// Who was reconciled by one shard last before the commit, and by another first after it.
fn moved(when: &Progressed, all: &[Reconciled]) -> Vec<f64> {
    let mut before: BTreeMap<&str, &Reconciled> = BTreeMap::new();
    let mut after: BTreeMap<&str, Vec<&Reconciled>> = BTreeMap::new();
    for one in all {
        if one.boot_ns > when.committed.0 {
            after.entry(&one.cr).or_default().push(one);
        } else if before.get(one.cr.as_str()).is_none_or(|known| known.boot_ns < one.boot_ns) {
            before.insert(&one.cr, one);
        }
    }
    let first_elsewhere = |(cr, last): (&&str, &&Reconciled)| {
        let ends = after.get(cr)?.iter().filter(|one| one.shard != last.shard).map(|one| one.boot_ns);
        ends.min().map(|end| BootTime(end).since(when.committed).as_secs_f64())
    };
    before.iter().filter_map(first_elsewhere).collect()
}

/// What the options say is no sequence of numbers of shards.
pub(crate) fn checked(counts: &[u16]) -> Result<u16> {
    let first = counts.first().filter(|_| counts.len() > 1);
    first
        .copied()
        .context("--shards names the number to begin with and at least one to change to, such as 8,32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_moved_if_another_shard_reconciles_it_after_the_commit() {
        let by = |shard: u64, cr: &str, boot_ns| Reconciled {
            shard: shard.into(),
            ..Reconciled::test("a", cr, boot_ns)
        };
        let all = [by(1, "n/x", 5), by(2, "n/x", 140), by(2, "n/x", 130), by(1, "n/y", 6), by(1, "n/y", 150)];
        let when = Progressed { asked: BootTime(90), committed: BootTime(100), settled: BootTime(200) };
        assert_eq!(moved(&when, &all), [30e-9]);
    }

    #[test]
    fn only_edits_within_the_time_count() {
        let edit = |at| Edit { cr: "n/x".into(), generation: 1, at: BootTime(at) };
        let all = [Reconciled { generation: Some(1), ..Reconciled::test("a", "n/x", 300) }];
        let edits = [edit(100), edit(199), edit(200)];
        assert_eq!(waits_between(&edits, &all, BootTime(100), BootTime(200)), [200e-9, 101e-9]);
    }

    #[test]
    fn a_single_number_is_no_change() {
        assert!(checked(&[8]).is_err());
        assert_eq!(checked(&[8, 32]).unwrap(), 8);
    }
}
