//! `bench handover`: how long resources wait when the replica that reconciles them ends.

mod reconciles;

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use lease_core::Timings;
use serde::Serialize;

use crate::harness::{Harness, Limits};
use crate::progress::Until;
use crate::subject::Subject;

pub(crate) use reconciles::{Reconciled, by_last_process, wait_of};

/// How a replica ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// By SIGTERM, as in a rollout.
    Terminated,
    /// By SIGKILL, and its Pod does not come back until others have taken over.
    Killed,
    /// By SIGKILL, and another process starts in the same Pod at once.
    RestartedInPlace,
}

impl Ending {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Terminated => "SIGTERM",
            Self::Killed => "SIGKILL",
            Self::RestartedInPlace => "SIGKILL, and restarted in place at once",
        }
    }
}

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

/// What followed when one replica ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Wait {
    pub(crate) ending: Ending,
    /// How many resources that replica had reconciled last.
    pub(crate) affected: usize,
    /// From the signal until another process had reconciled the first of them, and the last.
    pub(crate) first_seconds: f64,
    pub(crate) last_seconds: f64,
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
