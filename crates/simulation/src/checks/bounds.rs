//! How long things may take, and how much traffic they may cause: every formula that is judged by, in one place.
//!
//! LeaseDuration (LD), RenewDeadline (RD) and RetryPeriod (RP) are as configured. What is allowed beyond the promise:
//!
//! - **drift**: replicas measure on their own clocks, so a span is divided by how fast these run;
//! - **hop**: the longest that one message takes in a healthy network. The promise speaks of a network without latency;
//! - [`REACTION`]: what timers and the router's own pauses add to anything.

use std::time::Duration;

use crate::schedule::{FaultKind, Schedule, WantedShards};

/// tokio's timers have a millisecond each, and the router takes news in together, for 20 ms (`DEBOUNCE`). Twice that.
pub const REACTION: Duration = Duration::from_millis(40);

/// RetryPeriod is stretched by up to a fifth.
const JITTER: f64 = 1.2;

/// shard-router's watches wait no longer than this before they begin anew (`watch_backoff`).
const WATCH_BACKOFF: Duration = Duration::from_secs(5);

/// kube-runtime begins a watch anew on which nothing was heard for its server-side limit (290 s, which none of our watches changes) and
/// 10 s more (`kube::runtime::watcher`, `next_with_idle_timeout`).
const WATCH_IDLE: Duration = Duration::from_secs(290 + 10);

/// A stamp that failed is tried again after this at the latest (`stamper::backlog`).
const STAMP_BACKOFF: Duration = Duration::from_secs(30);

/// A reconcile that failed is tried again after this at the latest: `Options::backoff.cap`, as the engine sets it.
pub const RECONCILE_BACKOFF: Duration = Duration::from_secs(10);

/// How many reconciles of one shard run at once: `Options::concurrency_per_shard`, as the engine sets it.
pub const CONCURRENCY: u32 = 8;

/// Requests of one reconcile, one after the other: three reads, three applies, status with two conflicts resolved (5),
/// an event, the finalizer.
const REQUESTS_PER_RECONCILE: u32 = 13;

/// Messages from winning a shard to its first reconcile: the layout is confirmed (2), the watches on the resource and its
/// three children each list (8), and begin to watch (2).
const HOPS_TO_START: u32 = 12;

/// How often a resource is reconciled until nothing is left to do: once by its new owner, once when its pods are ready, and
/// once more for news that came in meanwhile.
const PASSES: u32 = 3;

/// How long the stand-in for the kubelet takes at most to make pods ready.
pub const KUBELET: Duration = Duration::from_millis(1500);

/// The bounds that follow from a schedule.
#[derive(Clone, Debug)]
pub struct Bounds {
    lease_duration: Duration,
    renew_deadline: Duration,
    retry_period: Duration,
    hop: Duration,
    reconcile: Duration,
    resources: u32,
    shards: u32,
    /// Whether the number of shards changes.
    changes: bool,
    /// Whether connections die without a word.
    dies_silently: bool,
    /// The speed of the slowest clock.
    slowest: f64,
}

/// The number of shards that a fault sets somebody to.
fn shards_of(what: &FaultKind) -> Option<u16> {
    match what {
        FaultKind::OtherShards { shards, .. } | FaultKind::WantedShards(WantedShards::Number(shards)) => {
            Some(*shards)
        }
        _ => None,
    }
}

/// The largest number of shards that there may be at any time.
pub fn most_shards(schedule: &Schedule) -> u32 {
    let others = schedule.faults.iter().filter_map(|fault| shards_of(&fault.what));
    others.chain([schedule.shards]).map(u32::from).max().unwrap_or_default()
}

impl Bounds {
    /// The bounds for everything that this schedule may do.
    pub fn of(schedule: &Schedule) -> Self {
        let network = schedule.network;
        let rate = |ppm: i32| 1.0 + f64::from(ppm) / 1e6;
        Self {
            lease_duration: schedule.timings.lease_duration,
            renew_deadline: schedule.timings.renew_deadline,
            retry_period: schedule.timings.retry_period,
            hop: network.latency.max.max(network.straggler.max),
            reconcile: schedule.reconcile.max,
            resources: u32::try_from(schedule.resources + schedule.profiles + schedule.edits.len())
                .unwrap_or(u32::MAX),
            shards: most_shards(schedule),
            changes: schedule.faults.iter().any(|fault| shards_of(&fault.what).is_some()),
            dies_silently: schedule
                .faults
                .iter()
                .any(|fault| matches!(fault.what, FaultKind::DeadConnections { .. })),
            slowest: schedule.replicas.iter().map(|replica| rate(replica.drift_ppm)).fold(1.0, f64::min),
        }
    }

    /// How long a shard may be without an owner while a replica whose clock runs at `rate` is fit to take it:
    ///
    /// `(LD + RP) / rate + 3 hops + REACTION`
    ///
    /// The hops: the last renewal is shown to the one who waits (its wait counts from there), its acquisition goes out,
    /// and is answered. RP is for what the promise has it for: the rank-based delay, and a conflict.
    pub fn unowned(&self, rate: f64) -> Duration {
        (self.lease_duration + self.retry_period).div_f64(rate) + 3 * self.hop + REACTION
    }

    /// How long after its start a process whose clock runs at `rate` may leave a Lease to a process before it in the same Pod:
    ///
    /// `(LD − RD + RP) / rate + 6 hops + REACTION`
    ///
    /// What that one has sent may be on its way for LD − RD. RP is for the rank-based delay, and a conflict with its last renewal. The hops: a list of the
    /// Leases at the start, a look at what the conflict was about, and the acquisition.
    pub fn taken_back(&self, rate: f64) -> Duration {
        let transit = self.lease_duration.saturating_sub(self.renew_deadline);
        (transit + self.retry_period).div_f64(rate) + 6 * self.hop + REACTION
    }

    /// How long after a fault, or its start, a replica whose clock runs at `rate` is fit again:
    ///
    /// `((RD − RP) / 3 + 2 × 1.2 RP) / rate + 2 hops + REACTION`
    ///
    /// A request that was lost in the last instant of the fault has to time out, (RD − RP) / 3 being lease-core's timeout.
    /// Then a look at each Lease is due: two jittered RP after the last one at the latest, and its way there and back.
    pub fn recovery(&self, rate: f64) -> Duration {
        let looks = self.retry_period.mul_f64(2.0 * JITTER);
        (self.request_timeout() + looks).div_f64(rate) + 2 * self.hop + REACTION
    }

    /// How long a standby leaves the API server alone at most after a 429: Retry-After counts up to LD.
    pub fn retry_after_limit(&self, rate: f64) -> Duration {
        self.lease_duration.div_f64(rate)
    }

    /// How long a replica takes to begin anew after a restore of etcd: `(LD + 2 × 1.2 RP) / rate`.
    ///
    /// It finds out with its next look, pauses for a jittered RP, and leaves every Lease alone for LD, whatever the backup says of it.
    pub fn begun_anew(&self, rate: f64) -> Duration {
        (self.lease_duration + self.retry_period.mul_f64(2.0 * JITTER)).div_f64(rate)
    }

    /// How long a process that can't list the Leases at its start waits for the answer at most: LD.
    pub fn start_without_list(&self, rate: f64) -> Duration {
        self.lease_duration.div_f64(rate)
    }

    /// From the last fault until a shard has a valid holder, on the slowest clock:
    ///
    /// - with its Lease and a layout there: `recovery + unowned`;
    /// - else: `recovery + 2 unowned + (RP + change) / rate`. Somebody takes, or creates, the coordinator Lease, which takes as
    ///   long as any other; membership settles for RP; the Lease is created, and expires once.
    pub fn owned(&self, leases_are_there: bool) -> Duration {
        let once = self.unowned(self.slowest);
        let recovered = self.recovery(self.slowest);
        if leases_are_there {
            recovered + once
        } else {
            recovered + 2 * once + (self.retry_period + self.change()).div_f64(self.slowest)
        }
    }

    /// From the last fault until everything is as asked for, on the slowest clock:
    ///
    /// `owned(no Leases) + stamping + handovers + start + backoffs + passes`
    ///
    /// - stamping: a stamp's longest backoff (30 s) and four messages;
    /// - handovers: each shard moves to the member that the plan names once membership has been stable for RP, one after
    ///   the other at worst, and each waits for its running reconciles and takes eight messages;
    /// - start: shards fill their caches one after the other at worst, `HOPS_TO_START` messages each;
    /// - backoffs: one of a watch (5 s), one of a reconcile (10 s), and what pods take to be ready;
    /// - passes: all resources in one shard, [`CONCURRENCY`] at once, `PASSES` times;
    /// - `silence`, where connections died without a word.
    pub fn converged(&self) -> Duration {
        let reconcile = self.reconcile + 2 * REQUESTS_PER_RECONCILE * self.hop;
        let stamping = STAMP_BACKOFF + 4 * self.hop;
        let handovers = self.retry_period + self.shards * (reconcile + 8 * self.hop + REACTION);
        let start = self.shards * (HOPS_TO_START * self.hop + REACTION);
        let backoffs = WATCH_BACKOFF + RECONCILE_BACKOFF + KUBELET;
        let passes = PASSES * self.resources.div_ceil(CONCURRENCY) * (reconcile + REACTION);
        let all = stamping + handovers + start + backoffs + passes + self.silence();
        self.owned(false) + all.div_f64(self.slowest)
    }

    /// From the last change until shards are shared evenly, on the slowest clock:
    ///
    /// `owned(no Leases) + (LD + 5 × 1.2 RP + shards × (reconcile + 8 hops + start)) / rate`
    ///
    /// - LD: whoever starts again in its Pod hands nothing over for so long;
    /// - RP: somebody takes over as coordinator, membership settles, the plan is published;
    /// - shards: each moves to the member that the plan names, one after the other at worst, and waits for its running reconciles;
    /// - `silence`, where connections died without a word.
    pub fn balanced(&self) -> Duration {
        let reconcile = self.reconcile + 2 * REQUESTS_PER_RECONCILE * self.hop;
        let told = self.lease_duration + self.retry_period.mul_f64(5.0 * JITTER);
        let handovers = self.shards * (reconcile + (8 + HOPS_TO_START) * self.hop + 2 * REACTION);
        self.owned(false) + (told + handovers + self.silence()).div_f64(self.slowest)
    }

    /// How long a replica that nothing hinders, and whose clock runs at `rate`, may hold a shard until it has begun to reconcile each of its resources:
    ///
    /// `begun + passes`: all resources in one shard, [`CONCURRENCY`] at once, `PASSES` times.
    pub fn reached(&self, rate: f64) -> Duration {
        let reconcile = self.reconcile + 2 * REQUESTS_PER_RECONCILE * self.hop;
        let passes = PASSES * self.resources.div_ceil(CONCURRENCY) * (reconcile + REACTION);
        self.begun(rate) + passes.div_f64(rate)
    }

    /// How long a replica that is fit, and whose clock runs at `rate`, may hold a shard with resources until its first reconcile begins:
    ///
    /// `(reconcile + shards × start + backoff) / rate`, and the limit of a request where connections died without a word
    ///
    /// - reconcile: one of a hold before may still be waited for;
    /// - start: shards fill their caches one after the other at worst, `HOPS_TO_START` messages each;
    /// - backoff: of a list that failed before the replica was fit (5 s).
    pub fn begun(&self, rate: f64) -> Duration {
        let reconcile = self.reconcile + 2 * REQUESTS_PER_RECONCILE * self.hop;
        let start = self.shards * (HOPS_TO_START * self.hop + REACTION);
        let given_up = if self.dies_silently { shard_router::REQUEST_LIMIT } else { Duration::ZERO };
        (reconcile + start + WATCH_BACKOFF.mul_f64(2.0) + given_up).div_f64(rate)
    }

    /// How long after a replica's lists of its resources have begun to fail it may still hold shards, or any may change hands, on the
    /// slowest clock, where another one is fit:
    ///
    /// `owned(no Leases) + (LD + 5 × 1.2 RP + 2 shards × (reconcile + 8 hops)) / rate`
    ///
    /// - owned: what went wrong before may have left it without a coordinator;
    /// - LD: for so long none of its shards has been worked on;
    /// - RP: it looks, says so on its member Lease, steps down as coordinator, somebody takes that over, membership settles;
    /// - shards: each may have been on its way to another replica already, and goes to a third, one after the other.
    pub fn left_to_others(&self) -> Duration {
        let reconcile = self.reconcile + 2 * REQUESTS_PER_RECONCILE * self.hop;
        let told = self.lease_duration + self.retry_period.mul_f64(5.0 * JITTER);
        let handovers = 2 * self.shards * (reconcile + 8 * self.hop + REACTION);
        self.owned(false) + (told + handovers).div_f64(self.slowest)
    }

    /// How much longer it takes where the number of shards has to change first, and a change may be under way: each takes LeaseDuration until new Leases can be
    /// taken, a look of the coordinator for each of its steps, and until all shards have given away what they lose, which their running reconciles hold up.
    fn change(&self) -> Duration {
        if !self.changes {
            return Duration::ZERO;
        }
        let reconcile = self.reconcile + 2 * REQUESTS_PER_RECONCILE * self.hop;
        2 * (self.lease_duration + 4 * self.retry_period + reconcile + 8 * self.hop + REACTION)
    }

    /// How long it takes until every dead connection is given up by who waits on it: what was sent on the last one has the limit of a
    /// request (30 s), and a watch may be silent for 300 s. One after the other at worst: a handover waits for a
    /// reconcile that hangs, and what a child's watch should have shown is seen when that watch is begun anew.
    fn silence(&self) -> Duration {
        if self.dies_silently { shard_router::REQUEST_LIMIT + WATCH_IDLE } else { Duration::ZERO }
    }

    /// How long the world waits until everything is as asked for: well beyond the bound, so that the checker can say by how much it was
    /// missed.
    pub fn convergence_limit(&self) -> Duration {
        (2 * self.converged()).max(Duration::from_mins(8))
    }

    /// The longest that a request about a Lease is waited for.
    fn request_timeout(&self) -> Duration {
        self.renew_deadline.saturating_sub(self.retry_period) / 3
    }

    /// The longest that a message takes in a healthy network.
    pub fn hop(&self) -> Duration {
        self.hop
    }

    /// RetryPeriod.
    pub fn retry_period(&self) -> Duration {
        self.retry_period
    }

    /// How soon a holder tries again after a failure: RP / 4.
    pub fn hurried_retry(&self) -> Duration {
        self.retry_period / 4
    }

    /// From when on after a fault all is quiet: everyone is fit again, and every Lease has passed on that had to.
    pub fn settled(&self) -> Duration {
        self.owned(true)
    }
}
