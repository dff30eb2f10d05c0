//! What happens to Leases.

use std::collections::BTreeMap;
use std::time::Duration;

use overlap_checker::records::Replica;

use super::{RunBuilder, TIMINGS, at, replica};
use crate::observations::{LeaseSpec, LeaseState};
use crate::time::TrueTime;

impl RunBuilder {
    /// A write of a replica, accepted; `holder` is a replica's name, or empty for a release.
    pub(in crate::checks) fn wrote(
        &mut self,
        lease: &str,
        by: &str,
        sent: u64,
        accepted: u64,
        holder: &str,
        transitions: i64,
    ) -> &mut Self {
        self.write(lease, by, at(sent), at(accepted), holder, transitions)
    }

    pub(super) fn write(
        &mut self,
        lease: &str,
        by: &str,
        sent: TrueTime,
        accepted: TrueTime,
        holder: &str,
        transitions: i64,
    ) -> &mut Self {
        let before = self.last(lease);
        let holder = if holder.is_empty() { String::new() } else { replica(holder).0 };
        let renewed = renew_time(sent);
        let acquired = before.filter(|before| before.holder == holder).and_then(|before| before.acquired);
        let duration = Duration::from_secs(if holder.is_empty() { 1 } else { TIMINGS.0 });
        let spec = LeaseSpec { holder, duration, transitions, renewed, acquired: acquired.or(renewed) };
        let uri = format!("/apis/coordination.k8s.io/v1/namespaces/default/leases/{lease}");
        self.request_at(by, "PUT", &uri, sent, 200);
        self.change(lease, sent, accepted, Some(replica(by)), Some(spec))
    }

    pub(in crate::checks) fn reserved(
        &mut self,
        lease: &str,
        by: &str,
        when: u64,
        transitions: i64,
    ) -> &mut Self {
        let spec = LeaseSpec {
            holder: lease_core::NOBODY.to_owned(),
            duration: Duration::from_secs(TIMINGS.0),
            transitions,
            renewed: renew_time(at(when)),
            acquired: renew_time(at(when)),
        };
        self.change(lease, at(when), at(when), Some(replica(by)), Some(spec))
    }

    pub(in crate::checks) fn deleted(&mut self, lease: &str, by: Option<&str>, when: u64) -> &mut Self {
        self.change(lease, at(when), at(when), by.map(replica), None)
    }

    /// The holder is taken out by hand.
    pub(in crate::checks) fn blanked(&mut self, lease: &str, when: u64) -> &mut Self {
        let spec = LeaseSpec { holder: String::new(), ..self.last(lease).expect("told of before") };
        self.change(lease, at(when), at(when), None, Some(spec))
    }

    /// Somebody puts a label on it.
    pub(in crate::checks) fn touched(&mut self, lease: &str, when: u64) -> &mut Self {
        let mut before =
            self.observations.leases.iter().filter(|state| state.name == lease && state.at <= at(when));
        let spec = before.next_back().and_then(|state| state.spec.clone());
        self.change(lease, at(when), at(when), None, spec);
        self.observations.leases.sort_by_key(|state| state.at);
        for (version, state) in (1..).zip(&mut self.observations.leases) {
            state.version = version;
        }
        self
    }

    pub(in crate::checks) fn last_lease(&mut self) -> &mut LeaseSpec {
        self.observations
            .leases
            .last_mut()
            .and_then(|state| state.spec.as_mut())
            .expect("a Lease was told of")
    }

    pub(super) fn transitions(&self, lease: &str) -> i64 {
        let of_lease = self.observations.leases.iter().filter(|state| state.name == lease);
        of_lease.filter_map(|state| state.spec.as_ref()).map(|spec| spec.transitions).max().unwrap_or(-1)
    }

    fn last(&self, lease: &str) -> Option<LeaseSpec> {
        self.observations
            .leases
            .iter()
            .rev()
            .find(|state| state.name == lease)
            .and_then(|state| state.spec.clone())
    }

    pub(super) fn change(
        &mut self,
        lease: &str,
        sent: TrueTime,
        accepted: TrueTime,
        by: Option<Replica>,
        spec: Option<LeaseSpec>,
    ) -> &mut Self {
        let before = self.observations.leases.iter().rev().find(|state| state.name == lease);
        let uid = match before {
            Some(before) if before.spec.is_some() => before.uid.clone(),
            _ => {
                self.uids += 1;
                format!("uid-{}", self.uids)
            }
        };
        self.observations.leases.push(LeaseState {
            name: lease.to_owned(),
            at: accepted,
            sent,
            by,
            uid,
            version: self.observations.leases.len() as u64 + 1,
            spec,
            restored: false,
            annotations: BTreeMap::new(),
        });
        self
    }
}

fn renew_time(at: TrueTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(i128::from(at.nanos())).ok()
}
