//! The replicas and their machines.

use std::time::Duration;

use fastrand::Rng;

use super::ranges::{between, millis, of};
use crate::schedule::{ReplicaSpec, TimingsSpec};
use crate::time::TrueTime;

/// How the first processes start.
#[derive(Clone, Copy)]
enum Start {
    /// A Deployment: within a moment of each other.
    Together,
    /// A StatefulSet: one after another.
    InTurn,
    /// All but one, which comes when the others have long shared the shards.
    OneLate,
}

pub(super) fn draw(
    rng: &mut Rng,
    slots: usize,
    timings: TimingsSpec,
    busy_for: Duration,
) -> Vec<ReplicaSpec> {
    let start = of(rng, &[(2, Start::Together), (2, Start::InTurn), (1, Start::OneLate)]);
    // All are there before half of the time is over.
    let in_time = busy_for / 2 / u32::try_from(slots).unwrap_or(u32::MAX);
    let turn = between(rng, timings.retry_period, timings.lease_duration * 2).min(in_time);
    let late = between(rng, busy_for / 4, busy_for * 2 / 3);
    let seats_and_counts = (0_u32..).zip(0..slots);
    let replicas = seats_and_counts.map(|(nth, slot)| {
        let moment = millis(rng, 0..=300);
        let after = match start {
            Start::InTurn => moment + turn * nth,
            Start::OneLate if slot + 1 == slots => late,
            Start::Together | Start::OneLate => moment,
        };
        ReplicaSpec {
            starts: TrueTime::after_start(after),
            drift_ppm: drift(rng),
            wall_offset_ms: wall_offset(rng),
            uptime: uptime(rng),
        }
    });
    replicas.collect()
}

/// A crystal is off by some dozens of millionths, a bad one by hundreds; what a hypervisor makes of it can be worse.
fn drift(rng: &mut Rng) -> i32 {
    let most = of(rng, &[(4, 100), (4, 500), (1, 5_000)]);
    rng.i32(-most..=most)
}

/// Milliseconds where NTP works, up to half a day where a time zone was taken for UTC.
pub(super) fn wall_offset(rng: &mut Rng) -> i64 {
    let most = of(rng, &[(3, 50), (2, 5_000), (2, 600_000), (1, 43_200_000)]);
    rng.i64(-most..=most)
}

fn uptime(rng: &mut Rng) -> Duration {
    let days = of(rng, &[(1, 0), (3, 30), (1, 700)]);
    Duration::from_secs(rng.u64(30..=days * 86_400 + 600))
}
