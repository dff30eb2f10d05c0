//! The metrics of one election, read when they are scraped.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::leader::Leader;

/// Registers them.
pub(super) fn register(registry: &mut Registry, leader: &Leader) {
    registry.register_collector(Box::new(Election(leader.clone())));
}

#[derive(Debug)]
struct Election(Leader);

impl Collector for Election {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (Some(id), Some((health, _))) = (self.0.id(), self.0.health()) else { return Ok(()) };
        // As client-go names it.
        let master = ConstGauge::new(i64::from(self.0.is_me()));
        let mut family = encoder.encode_descriptor(
            "leader_election_master_status",
            "Whether this process holds the Lease: 1 if it does, 0 if it does not",
            None,
            master.metric_type(),
        )?;
        master.encode(family.encode_family(&[("name", id.as_str())])?)?;
        let refused = ConstGauge::new(u32::try_from(health.problems.len()).unwrap_or(u32::MAX));
        let refused_encoder = encoder.encode_descriptor(
            "leader_election_refused",
            "Kinds of requests about Leases that the API server refuses now, for example for want of rights",
            None,
            refused.metric_type(),
        )?;
        refused.encode(refused_encoder)?;
        let silent = ConstGauge::new(health.silent_for.as_secs_f64());
        let silent_encoder = encoder.encode_descriptor(
            "leader_election_silent",
            "The time since the last answer of the API server about Leases",
            Some(&Unit::Seconds),
            silent.metric_type(),
        )?;
        silent.encode(silent_encoder)?;
        let rewinds = ConstCounter::new(health.rewinds);
        let rewinds_encoder = encoder.encode_descriptor(
            "leader_election_rewinds",
            "How often it was detected that etcd was restored from a backup",
            None,
            rewinds.metric_type(),
        )?;
        rewinds.encode(rewinds_encoder)
    }
}
