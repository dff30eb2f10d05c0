//! `bench handover`: how long resources wait when the replica that reconciles them ends.

use std::path::Path;

use anyhow::Result;
use lease_core::Timings;
use serde::Serialize;

use crate::ending::{Ending, Wait};
use crate::harness::{Harness, Limits};
use crate::progress::Until;
use crate::subject::Subject;

/// One operator in one round.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Handovers {
    pub(crate) subject: Subject,
    pub(crate) round: u32,
    pub(crate) resources: u32,
    /// LeaseDuration and RenewDeadline, the same for all operators.
    pub(crate) lease_duration_seconds: f64,
    pub(crate) renew_deadline_seconds: f64,
    /// Requests for Leases in a minute, all replicas, while each replica ran and nothing changed.
    pub(crate) lease_requests_per_minute: f64,
    pub(crate) waits: Vec<Wait>,
}

/// How often a replica ends in which way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) terminated: u32,
    pub(crate) killed: u32,
    pub(crate) restarted_in_place: u32,
}

/// Lets replicas of one operator end, one after another. Between two of them all replicas run, and each has its part.
pub(crate) async fn measure(
    subject: Subject,
    program: &Path,
    (round, resources): (u32, u32),
    times: Times,
    limits: Limits,
) -> Result<Handovers> {
    let mut harness = Harness::start_recording(subject, program, limits).await?;
    harness.servers_get_ready();
    let made = harness.create(resources).await?;
    harness.reach(&made, Until::Ready).await?;
    harness.quiet().await?;
    let lease_requests_per_minute = harness.lease_requests_per_minute().await?;
    let endings = [
        (Ending::Terminated, times.terminated),
        (Ending::Killed, times.killed),
        (Ending::RestartedInPlace, times.restarted_in_place),
    ];
    let mut waits = Vec::new();
    for (ending, times) in endings {
        for time in 0..times {
            let wait = harness.take_out(ending, time as usize).await?;
            eprintln!(
                "  {}: {} resources waited for {:.3} to {:.3} s",
                ending.words(),
                wait.affected,
                wait.first_seconds,
                wait.last_seconds
            );
            waits.push(wait);
        }
    }
    harness.stop().await?;
    let timings = Timings::default();
    Ok(Handovers {
        subject,
        round,
        resources,
        lease_duration_seconds: timings.lease_duration().as_secs_f64(),
        renew_deadline_seconds: timings.renew_deadline().as_secs_f64(),
        lease_requests_per_minute,
        waits,
    })
}
