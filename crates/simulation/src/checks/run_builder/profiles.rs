//! What happens to the kind that is not sharded.

use std::time::Duration;

use serde_json::json;

use super::{RunBuilder, TIMINGS, at};
use crate::observations::DesiredProfile;
use crate::profile::{KIND, PLURAL};

const LEASE: &str = "op";

impl RunBuilder {
    /// Takes the coordinator Lease and renews it each RetryPeriod, until `to` inclusive, and lists the kind in the instant of the acquisition.
    pub(in crate::checks) fn coordinates(&mut self, name: &str, from: u64, to: u64) -> &mut Self {
        let (_, rd, rp) = TIMINGS;
        let transitions = self.transitions(LEASE) + 1;
        let token = at(from).nanos();
        let mut sent = at(from);
        while sent <= at(to) {
            self.write(LEASE, name, sent, sent, name, transitions);
            let kind = if sent == at(from) { "hold-begin" } else { "hold-renewed" };
            let until = (sent + Duration::from_secs(rd)).nanos();
            self.record_at(
                name,
                sent,
                json!({"record": kind, "lease": LEASE, "shard": "unsharded", "token": token, "sent_boot_ns": sent.nanos(),
                    "valid_until_boot_ns": until}),
            );
            sent = sent + Duration::from_secs(rp);
        }
        let uri = format!("/apis/fleet.example.com/v1/{PLURAL}?limit=500");
        self.request(name, "GET", &uri, from, 200);
        let ready = json!({"record": "start-ready", "shard": "unsharded", "token": token, "objects": 1});
        self.record(name, from, ready)
    }

    /// A reconcile under the last hold of that replica, with a write in the middle.
    pub(in crate::checks) fn reconciled_profile(
        &mut self,
        name: &str,
        profile: &str,
        from: u64,
        to: u64,
    ) -> &mut Self {
        let cr = format!("{KIND}/default/{profile}");
        let place = json!({"uid": format!("uid-{profile}"), "shard": "unsharded"});
        self.reconciled_at(name, &cr, place, (from, to));
        let uri = format!("/apis/fleet.example.com/v1/namespaces/default/{PLURAL}/{profile}/status");
        self.request(name, "PATCH", &uri, from.midpoint(to), 200)
    }

    /// A resource that users have created and not deleted, and the number that was reconciled last.
    pub(in crate::checks) fn desired_profile(
        &mut self,
        name: &str,
        level: i32,
        reconciled: i32,
    ) -> &mut Self {
        let uid = format!("uid-{name}");
        let object =
            json!({"metadata": {"uid": uid}, "spec": {"level": level}, "status": {"level": reconciled}});
        self.observations.objects.insert(format!("{PLURAL}/{name}"), object);
        self.observations.profiles.insert(name.to_owned(), DesiredProfile { uid, level, created: at(0) });
        self
    }
}
