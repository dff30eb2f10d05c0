//! No replica believes in a hold for longer than the API server's word gives it.
//!
//! Validity counts from the sending of a write that names its holder and was accepted, and ends RenewDeadline later on the holder's
//! own clock. Each replica writes down until when it believes to hold a shard, when it acquires it and with each renewal;
//! here that is compared with what became of the Lease. So a belief that is too long is a violation by itself, whether or not another
//! replica happens to take the Lease in those very seconds.

use std::collections::HashMap;
use std::time::Duration;

use overlap_checker::records::{Body, BootTime, Record, Replica};

use super::leases::Histories;
use super::{Check, short};
use crate::observations::{LeaseState, Observations};
use crate::time::TrueTime;

/// Instants are read off clocks and converted between them, a nanosecond being lost here and there.
const ROUNDING: Duration = Duration::from_micros(1);

/// Judges every belief that was written down.
pub(super) fn check(observations: &Observations, histories: &Histories<'_>) -> Check {
    let mut check = Check::new("claims");
    let grants = grants(histories);
    let rates: HashMap<&Replica, f64> =
        observations.processes.iter().map(|process| (&process.identity, process.rate)).collect();
    for record in &observations.records {
        let Some((lease, until)) = claim(record) else { continue };
        check.judged += 1;
        let rate = rates.get(&record.replica).copied().unwrap_or(1.0);
        let at = TrueTime::of(record.boot);
        let validity = observations.schedule.timings.renew_deadline.div_f64(rate);
        let granted = grants.get(&(lease, record.replica.0.as_str())).and_then(|states| last(states, at));
        let wrong = match granted {
            Some(sent) if TrueTime::of(until) <= sent + validity + ROUNDING => continue,
            Some(sent) => {
                let by = short(TrueTime::of(until).since(sent + validity));
                format!("{by:?} beyond RenewDeadline after its last accepted write, which it sent at {sent}")
            }
            None => "although the API server has accepted no write of its that says so".to_owned(),
        };
        let sentence = format!(
            "{} believed at {at} to hold {lease} until {}, {wrong}.",
            record.replica,
            TrueTime::of(until)
        );
        check.violated(at, sentence);
    }
    check
}

/// The Lease that a replica believes in, and until when.
fn claim(record: &Record) -> Option<(&str, BootTime)> {
    match &record.body {
        Body::HoldBegin { lease, valid_until, .. } => Some((lease, (*valid_until)?)),
        Body::HoldRenewed { lease, valid_until, .. } => Some((lease, *valid_until)),
        _ => None,
    }
}

/// The states of each Lease that a replica wrote and is named in, in order.
fn grants<'a>(histories: &Histories<'a>) -> HashMap<(&'a str, &'a str), Vec<&'a LeaseState>> {
    let mut grants: HashMap<_, Vec<&LeaseState>> = HashMap::new();
    for (lease, states) in histories.all() {
        for state in states {
            if let Some(by) = &state.by
                && state.spec.as_ref().and_then(|spec| spec.held_by()) == Some(by.0.as_str())
            {
                grants.entry((lease, by.0.as_str())).or_default().push(state);
            }
        }
    }
    grants
}

/// When the last of these that could be known at this instant was sent.
fn last(states: &[&LeaseState], at: TrueTime) -> Option<TrueTime> {
    let known = states.partition_point(|state| state.at <= at);
    states[..known].iter().map(|state| state.sent).max()
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, at, only_of};
    use serde_json::json;

    /// A acquires at 20 s, by a write that was under way for half a second.
    fn believes(until: u64) -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).wrote("op-shard-0", "a", 20_000, 20_500, "a", 1);
        let hold = json!({"record": "hold-begin", "lease": "op-shard-0", "shard": 0, "token": 7,
            "valid_until_boot_ns": at(until).nanos()});
        run.record("a", 20_600, hold);
        run
    }

    #[test]
    fn validity_counts_from_the_sending() {
        only_of(&believes(30_000), "claims", 0);
        let sentences = only_of(&believes(30_500), "claims", 1);
        assert!(sentences[0].contains("500ms beyond RenewDeadline"), "{sentences:?}");
    }

    #[test]
    fn a_slow_clock_may_believe_for_longer() {
        let mut run = believes(30_001);
        run.observations.processes[0].rate = 0.999;
        only_of(&run, "claims", 0);
    }

    #[test]
    fn a_belief_without_an_accepted_write_is_caught() {
        let mut run = believes(30_000);
        run.runs("b", 1, 0);
        let hold = json!({"record": "hold-begin", "lease": "op-shard-0", "shard": 0, "token": 8,
            "valid_until_boot_ns": at(30_000).nanos()});
        run.record("b", 20_700, hold);
        let sentences = only_of(&run, "claims", 1);
        assert!(sentences[0].contains("b_1 believed at 20.700"), "{sentences:?}");
    }

    #[test]
    fn what_is_accepted_later_counts_for_nothing_yet() {
        let mut run = believes(30_000);
        run.wrote("op-shard-0", "a", 20_550, 20_700, "a", 1);
        let renewed = json!({"record": "hold-renewed", "lease": "op-shard-0", "shard": 0, "token": 7,
            "valid_until_boot_ns": at(30_550).nanos()});
        run.record("a", 20_650, renewed.clone());
        only_of(&run, "claims", 1);
        let mut run = believes(30_000);
        run.wrote("op-shard-0", "a", 20_550, 20_700, "a", 1).record("a", 20_700, renewed);
        only_of(&run, "claims", 0);
    }
}
