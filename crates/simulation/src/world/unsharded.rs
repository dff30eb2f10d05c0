//! An operator of a version that does not shard, played: it contends for the coordinator Lease as client-go does. That it
//! reconciles everything while it holds it is taken for granted; see the checker of the same name.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{Plan, World};
use crate::clock::EPOCH;
use crate::observations::UNSHARDED;
use crate::time::TrueTime;
use crate::world::names::{LEADER_ELECTION_ID, NAMESPACE};

/// How often it looks while it does not hold the Lease. client-go looks each RetryPeriod; whoever watches would be there first nearly
/// always, and the case that counts is that it was not.
const CONVERGENCE_CHECKS: Duration = Duration::from_millis(20);

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

/// What it knows.
#[derive(Clone)]
pub(super) struct Unsharded {
    anew: bool,
    /// The record that it saw last, and since when.
    observed: Option<(Value, TrueTime)>,
}

impl World {
    pub(super) fn begin_unsharded(&mut self, anew: bool) {
        if self.unsharded.replace(Unsharded { anew, observed: None }).is_none() {
            self.plan_at(self.now, Plan::Unsharded);
        }
    }

    /// The last one that ends takes it away.
    pub(super) fn end_unsharded(&mut self, releases: bool) {
        self.unsharded = None;
        if releases && let Some(lease) = self.coordinator_lease().filter(is_held) {
            self.write_unsharded(Some(lease), "", 1);
        }
    }

    pub(super) fn run_unsharded(&mut self) {
        let Some(mut unsharded) = self.unsharded.take() else { return };
        let timings = self.schedule.timings;
        let mut again = CONVERGENCE_CHECKS;
        if !self.api.down {
            let lease = self.coordinator_lease();
            let (held, free) = match &lease {
                None => (false, true),
                Some(lease) => {
                    (is_held(lease), unsharded.finds_free(lease, self.now, timings.lease_duration))
                }
            };
            if held || free {
                if !held && unsharded.anew && lease.is_some() {
                    self.by_hand(Method::DELETE, &format!("{LEASES}/{LEADER_ELECTION_ID}"), None);
                }
                let base = lease.filter(|_| held || !unsharded.anew);
                self.write_unsharded(base, UNSHARDED, timings.lease_duration.as_secs());
                again = timings.retry_period;
            }
        }
        self.unsharded = Some(unsharded);
        self.plan_at(self.now + again, Plan::Unsharded);
    }

    fn coordinator_lease(&self) -> Option<Value> {
        self.api.look().peek("coordination.k8s.io", "leases", NAMESPACE, LEADER_ELECTION_ID).cloned()
    }

    /// Upon this state, with whatever else stands on it; or a new Lease.
    fn write_unsharded(&mut self, base: Option<Value>, holder: &str, seconds: u64) {
        let passed = jiff::SignedDuration::try_from(self.now.since_start()).unwrap_or_default();
        let now = EPOCH.saturating_add(passed).expect("a schedule is short");
        let now = format!("{now:.6}");
        let is_new = base.is_none();
        let mut lease = base.unwrap_or_else(|| {
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEADER_ELECTION_ID}})
        });
        let spec = &lease["spec"];
        let transitions = spec["leaseTransitions"].as_i64().unwrap_or_default();
        let (acquired, transitions) = if spec["holderIdentity"] == holder || holder.is_empty() {
            (spec["acquireTime"].clone(), transitions)
        } else {
            (json!(now), if is_new { 0 } else { transitions + 1 })
        };
        lease["spec"] = json!({
            "holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": acquired, "renewTime": now,
            "leaseTransitions": transitions,
        });
        if is_new {
            self.by_hand(Method::POST, LEASES, Some(&lease));
        } else {
            self.by_hand(Method::PUT, &format!("{LEASES}/{LEADER_ELECTION_ID}"), Some(&lease));
        }
    }
}

impl Unsharded {
    /// As client-go judges: nobody is named, or the record has not changed for its own LeaseDuration.
    fn finds_free(&mut self, lease: &Value, now: TrueTime, lease_duration: Duration) -> bool {
        let spec = &lease["spec"];
        if self.observed.as_ref().is_none_or(|(known, _)| known != spec) {
            self.observed = Some((spec.clone(), now));
        }
        let since = self.observed.as_ref().map_or(now, |(_, since)| *since);
        spec["holderIdentity"].as_str().is_none_or(str::is_empty) || now.since(since) >= lease_duration
    }
}

fn is_held(lease: &Value) -> bool {
    lease["spec"]["holderIdentity"] == UNSHARDED
}
