//! Drawing a schedule from a seed.
//!
//! Most are small and some are large: what a schedule costs grows with its length, its shards and its replicas, and a thousand small
//! ones find more than ten large ones. Each concern has a stream of its own.

mod aimed;
mod api_failures;
mod children;
mod context;
mod dead;
mod dispute;
mod edits;
mod fleet;
mod kinds;
mod layout;
mod profiles;
mod ranges;
mod restarts;
mod restore;
mod tenants;
mod unable;
mod undecodable;
mod wanted;
mod waves;

use std::time::Duration;

use fastrand::Rng;

use self::context::Context;
use self::ranges::{millis, of};
use crate::schedule::{LEAST_LATENCY, NetworkSpec, Schedule, Span, TimingsSpec};
use crate::seed::stream;

impl Schedule {
    /// The schedule of a seed; the same each time.
    pub fn draw(seed: u64) -> Self {
        let timings = timings(&mut stream(seed, "draw: timings"));
        let network = network(&mut stream(seed, "draw: network"));
        let size = Size::draw(&mut stream(seed, "draw: size"));
        let replicas =
            fleet::draw(&mut stream(seed, "draw: replicas"), size.replicas, timings, size.busy_for);
        let key_label = stream(seed, "draw: key").u8(..3) == 0;
        let reconcile = reconcile(&mut stream(seed, "draw: reconcile"), timings);
        let context = Context::new(&size, key_label, timings, network, &replicas);
        let mut faults = waves::draw(&mut stream(seed, "draw: faults"), &context);
        children::draw(&mut stream(seed, "draw: children"), &context, &mut faults);
        let mut edits = edits::draw(&mut stream(seed, "draw: edits"), &context);
        tenants::draw(&mut stream(seed, "draw: tenants"), &context, &mut faults, &mut edits);
        let dead = dead::draw(&mut stream(seed, "draw: dead"), &context, &faults, &edits, &replicas);
        faults.extend(dead);
        faults.sort_by_key(|fault| fault.at);
        undecodable::draw(&mut stream(seed, "draw: undecodable"), &context, &mut faults);
        api_failures::draw(&mut stream(seed, "draw: troubled"), &context, &edits, &mut faults);
        faults.extend(dispute::draw(&mut stream(seed, "draw: dispute"), &context));
        restarts::draw(&mut stream(seed, "draw: restarts"), &context, &mut faults);
        let shards_config_map = wanted::draw(&mut stream(seed, "draw: wanted"), &context, &mut faults);
        faults.sort_by_key(|fault| fault.at);
        let profiles = profiles::draw(&mut stream(seed, "draw: profiles"), &context, &mut edits);
        // Instead of what else would go wrong: these schedules aim at the restore alone.
        if let Some(restored) = restore::draw(&mut stream(seed, "draw: restore"), &context, &replicas) {
            faults = restored;
        }
        let Size { shards, resources, busy_for, .. } = size;
        let mut schedule = Self {
            seed,
            timings,
            shards,
            shards_config_map,
            key_label,
            replicas,
            resources,
            profiles,
            reconcile,
            network,
            busy_for,
            faults,
            edits,
        };
        unable::add(&mut stream(seed, "draw: unable"), &mut schedule);
        schedule
    }
}

/// What the cost of a schedule grows with.
struct Size {
    replicas: usize,
    shards: u16,
    resources: usize,
    busy_for: Duration,
}

impl Size {
    fn draw(rng: &mut Rng) -> Self {
        let shards = of(rng, &[(6, 1..=1), (20, 2..=3), (8, 4..=6), (2, 7..=16), (1, 17..=32)]);
        let replicas = of(rng, &[(8, 2..=3), (3, 4..=5), (1, 6..=7)]);
        let resources = of(rng, &[(3, 3..=9), (5, 10..=30), (2, 31..=60)]);
        let minutes = of(rng, &[(12, 5..=6), (2, 7..=12), (1, 13..=20)]);
        Self {
            replicas: rng.usize(replicas),
            shards: rng.u16(shards),
            resources: rng.usize(resources),
            busy_for: Duration::from_secs(60 * rng.u64(minutes)),
        }
    }
}

/// The presets, client-go's defaults, some in between, and one time in seven an odd one.
fn timings(rng: &mut Rng) -> TimingsSpec {
    let seconds = Duration::from_secs;
    let spec = |lease, renew, retry| TimingsSpec {
        lease_duration: seconds(lease),
        renew_deadline: seconds(renew),
        retry_period: seconds(retry),
    };
    match rng.u8(..7) {
        0 | 1 => spec(5, 3, 1),
        2 => spec(8, 5, 1),
        3 | 4 => spec(15, 10, 2),
        5 => spec(30, 20, 4),
        _ => odd_timings(rng),
    }
}

/// Within what the operator accepts: RetryPeriod × 1.2 < RenewDeadline < LeaseDuration.
fn odd_timings(rng: &mut Rng) -> TimingsSpec {
    let lease_duration = Duration::from_secs(rng.u64(6..=20));
    let renew_deadline = lease_duration * rng.u32(50..=75) / 100;
    let retry_period = (renew_deadline * rng.u32(15..=35) / 100).max(Duration::from_secs(1));
    TimingsSpec { lease_duration, renew_deadline, retry_period }
}

/// From the network of one rack to one across a continent, with one message in a hundred late.
fn network(rng: &mut Rng) -> NetworkSpec {
    let least = LEAST_LATENCY + millis(rng, 0..=12);
    let most = least + millis(rng, 2..=40);
    NetworkSpec {
        latency: Span { min: least, max: most },
        straggler: Span { min: most, max: most.max(millis(rng, 60..=300)) },
    }
}

/// Some reconcile in no time, some take so long that a Lease can be lost twice meanwhile.
fn reconcile(rng: &mut Rng, timings: TimingsSpec) -> Span {
    let longest = of(
        rng,
        &[
            (3, Duration::from_millis(200)),
            (4, Duration::from_secs(1)),
            (3, timings.retry_period * 2),
            (1, timings.lease_duration * 3 / 2),
        ],
    );
    Span { min: millis(rng, 0..=50), max: longest }
}

#[cfg(test)]
mod tests;
